// Tags and devices.
#include <cstdio>
#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"

namespace lineshaft::cli {
namespace {

const std::vector<Column> tag_columns = {{"path", "path"},         {"type", "type"},
                                         {"unit", "unit"},         {"description", "description"},
                                         {"writable", "writable"}, {"id", "id"}};
const std::vector<Column> value_columns = {
    {"path", "path"}, {"value", "value"}, {"unit", "unit"}, {"quality", "quality"}, {"time", "time"}};
const std::vector<Column> device_columns = {{"name", "name"},
                                            {"state", "state"},
                                            {"protocol", "protocol"},
                                            {"tags", "tag_count"},
                                            {"last heard", "last_heard"},
                                            {"good", "good_share"},
                                            {"connection", "connection/state"},
                                            {"id", "id"}};

/// NotFound with the nearest path in it.
Error no_such_tag(const Client& client, const std::string& path) {
    std::vector<std::string> paths;
    if (const auto tags = client.list("/api/v1/tags")) {
        for (const Json& tag : *tags) paths.push_back(tag.value("path", ""));
    }
    const auto near = app::nearest(path, paths);
    return Error(ErrorCode::NotFound,
                 fmt::format("there is no tag '{}'{}", path, near ? fmt::format(": did you mean '{}'?", *near) : ""));
}

Result<Json> tag_named(const Client& client, const std::string& path) {
    const Json page = TRY(client.get("/api/v1/tags?limit=2&prefix=" + percent_encoded(path)));
    for (const Json& tag : page["items"]) {
        if (tag.value("path", "") == path) return tag;
    }
    return std::unexpected(no_such_tag(client, path));
}

Result<Json> device_named(const Client& client, const std::string& name) {
    std::vector<std::string> names;
    for (const Json& device : TRY(client.list("/api/v1/devices?q=" + percent_encoded(name)))) {
        if (device.value("name", "") == name) return device;
    }
    for (const Json& device : TRY(client.list("/api/v1/devices"))) names.push_back(device.value("name", ""));
    const auto near = app::nearest(name, names);
    return fail(ErrorCode::NotFound, fmt::format("there is no device '{}'{}", name,
                                                 near ? fmt::format(": did you mean '{}'?", *near) : ""));
}

Result<Exit> list_tags(const ServerOptions& server, const std::string& prefix, const std::string& device) {
    const Client client = TRY(Client::create(server));
    std::string path = "/api/v1/tags?prefix=" + percent_encoded(prefix);
    if (!device.empty()) path += "&device=" + percent_encoded(device);
    print_items(TRY(client.list(path)), tag_columns, server.output);
    return Exit::Ok;
}

Result<Exit> read_tags(const ServerOptions& server, const std::vector<std::string>& paths) {
    const Client client = TRY(Client::create(server));
    std::string query = "/api/v1/values?";
    for (const std::string& path : paths) query += "tag=" + percent_encoded(path) + "&";
    const auto values = client.get(query);
    if (!values && values.error().code() == ErrorCode::NotFound) {
        for (const std::string& path : paths) TRY(tag_named(client, path));
    }
    if (!values) return std::unexpected(values.error());
    print_items((*values)["items"], value_columns, server.output);
    return Exit::Ok;
}

Result<Exit> write_tag(const ServerOptions& server, const std::string& path, const std::string& text) {
    const Client client = TRY(Client::create(server));
    const Json tag = TRY(tag_named(client, path));
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded() || value.is_structured()) value = text;
    const Json result = TRY(client.post("/api/v1/tags/" + tag.value("id", "") + ":write", {{"value", value}}));
    print_object(result, {{"outcome", "outcome"}, {"detail", "detail"}}, server.output);
    return result.value("outcome", "") == "written" ? Exit::Ok : Exit::Failed;
}

struct TagSettings {
    std::string path, unit, description, writable;
    double scale = 1, offset = 0, deadband = 0;
};

void add_tag_set(CLI::App& tag, const std::shared_ptr<ServerOptions>& server, Action& action) {
    auto settings = std::make_shared<TagSettings>();
    CLI::App* command = tag.add_subcommand("set", "Change what is known about a tag");
    command->add_option("path", settings->path, "Path of the tag")->required();
    auto* unit = command->add_option("--unit", settings->unit, "UCUM code, like Cel, bar, 1/min");
    auto* description = command->add_option("--description", settings->description, "For people");
    auto* writable =
        command->add_option("--writable", settings->writable, "yes or no")->check(CLI::IsMember({"yes", "no"}));
    auto* scale = command->add_option("--scale", settings->scale, "value = raw * scale + offset");
    auto* offset = command->add_option("--offset", settings->offset, "See --scale");
    auto* deadband =
        command->add_option("--deadband", settings->deadband, "Changes of at most this size are not kept");
    add_server_options(*command, *server);
    command->callback([=, &action] {
        action = [=] {
            Json change = Json::object();
            if (*unit) change["unit"] = settings->unit;
            if (*description) change["description"] = settings->description;
            if (*writable) change["writable"] = settings->writable == "yes";
            if (*scale) change["scale"] = settings->scale;
            if (*offset) change["offset"] = settings->offset;
            if (*deadband) change["deadband"] = settings->deadband;
            return finish([&]() -> Result<Exit> {
                const Client client = TRY(Client::create(*server));
                const Json found = TRY(tag_named(client, settings->path));
                print_object(TRY(client.patch("/api/v1/tags/" + found.value("id", ""), change)), tag_columns,
                             server->output);
                return Exit::Ok;
            });
        };
    });
}

Result<Exit> list_devices(const ServerOptions& server, const std::string& state) {
    const Client client = TRY(Client::create(server));
    print_items(TRY(client.list("/api/v1/devices" + (state.empty() ? "" : "?state=" + state))), device_columns,
                server.output);
    return Exit::Ok;
}

Result<Exit> set_states(const ServerOptions& server, const std::vector<std::string>& names, const std::string& verb) {
    const Client client = TRY(Client::create(server));
    for (const std::string& name : names) {
        const Json device = TRY(device_named(client, name));
        TRY(client.post("/api/v1/devices/" + device.value("id", "") + ":" + verb, Json::object()));
        hint(server.output, fmt::format("{} {}ed", name, verb == "ignore" ? "ignor" : verb));
    }
    return Exit::Ok;
}

Result<Exit> add_device(const ServerOptions& server, const std::string& name, const std::string& protocol,
                        const std::string& file) {
    Json body = {{"name", name}, {"protocol", protocol}};
    if (!file.empty()) {
        std::ifstream input(file);
        if (!input) return fail(ErrorCode::NotFound, fmt::format("the settings file {} cannot be read", file));
        std::stringstream text;
        text << input.rdbuf();
        body["settings"] = Json::parse(text.str(), nullptr, false);
        if (!body["settings"].is_object())
            return fail(ErrorCode::Malformed, fmt::format("{} does not hold a JSON object", file));
    }
    const Client client = TRY(Client::create(server));
    print_object(TRY(client.post("/api/v1/devices", body)), device_columns, server.output);
    hint(server.output, fmt::format("see it: lineshaft tag list --device '{}'", name));
    return Exit::Ok;
}

Result<Exit> remove_device(const ServerOptions& server, const std::string& name) {
    const Client client = TRY(Client::create(server));
    const Json device = TRY(device_named(client, name));
    TRY(client.remove("/api/v1/devices/" + device.value("id", "")));
    return Exit::Ok;
}

}  // namespace

void add_tag(CLI::App& app, Action& action) {
    CLI::App* tag = app.add_subcommand("tag", "Tags: list, read, write, change");
    tag->require_subcommand(1);
    auto server = std::make_shared<ServerOptions>();
    struct Words {
        std::string prefix, device, path, value;
        std::vector<std::string> paths;
    };
    auto words = std::make_shared<Words>();

    CLI::App* list = tag->add_subcommand("list", "All tags, or those below a path");
    list->add_option("--prefix", words->prefix, "Path that they lie below");
    list->add_option("--device", words->device, "Device that they belong to");
    add_server_options(*list, *server);
    list->callback([=, &action] {
        action = [=] { return finish([&] { return list_tags(*server, words->prefix, words->device); }); };
    });

    CLI::App* read = tag->add_subcommand("read", "The newest value of tags");
    read->add_option("path", words->paths, "Paths")->required();
    add_server_options(*read, *server);
    read->callback(
        [=, &action] { action = [=] { return finish([&] { return read_tags(*server, words->paths); }); }; });

    CLI::App* write = tag->add_subcommand("write", "Write a value to the device of a writable tag");
    write->add_option("path", words->path, "Path")->required();
    write->add_option("value", words->value, "Value, in the tag's unit")->required();
    add_server_options(*write, *server);
    write->callback([=, &action] {
        action = [=] { return finish([&] { return write_tag(*server, words->path, words->value); }); };
    });
    add_tag_set(*tag, server, action);
}

void add_device(CLI::App& app, Action& action) {
    CLI::App* device = app.add_subcommand("device", "Devices: list, show, accept, ignore, add, remove");
    device->require_subcommand(1);
    auto server = std::make_shared<ServerOptions>();
    struct Words {
        std::string state, name, protocol, file;
        std::vector<std::string> names;
    };
    auto words = std::make_shared<Words>();

    CLI::App* list = device->add_subcommand("list", "All devices, or those in a state");
    list->add_option("--state", words->state, "discovered, accepted or ignored")
        ->check(CLI::IsMember({"discovered", "accepted", "ignored"}));
    add_server_options(*list, *server);
    list->callback(
        [=, &action] { action = [=] { return finish([&] { return list_devices(*server, words->state); }); }; });

    CLI::App* show = device->add_subcommand("show", "One device with its connection");
    show->add_option("name", words->name, "Name")->required();
    add_server_options(*show, *server);
    when_chosen(*show, server, action, [=](const Client& client) -> Result<Exit> {
        print_object(TRY(device_named(client, words->name)), device_columns, server->output);
        return Exit::Ok;
    });

    for (const char* verb : {"accept", "ignore"}) {
        CLI::App* command =
            device->add_subcommand(verb, std::string(verb) == "accept" ? "Make discovered devices part of the plant"
                                                                       : "Record nothing of these devices any more");
        command->add_option("name", words->names, "Names")->required();
        add_server_options(*command, *server);
        command->callback([=, &action] {
            action = [=, verb = std::string(verb)] {
                return finish([&] { return set_states(*server, words->names, verb); });
            };
        });
    }

    CLI::App* add = device->add_subcommand("add", "A device by hand, like a Modbus PLC");
    add->add_option("name", words->name, "Name")->required();
    add->add_option("--protocol", words->protocol, "modbus, mqtt or http")->required();
    add->add_option("--settings", words->file, "JSON file with the adapter's settings");
    add_server_options(*add, *server);
    add->callback([=, &action] {
        action = [=] {
            return finish([&] { return add_device(*server, words->name, words->protocol, words->file); });
        };
    });

    CLI::App* remove =
        device->add_subcommand("remove", "Remove a device; its history stays until its retention ends");
    remove->add_option("name", words->name, "Name")->required();
    remove->add_flag_callback("--yes", [] {}, "Do not ask");
    add_server_options(*remove, *server);
    remove->callback(
        [=, &action] { action = [=] { return finish([&] { return remove_device(*server, words->name); }); }; });
}

}  // namespace lineshaft::cli
