// help, version and completion, made from the same table of commands that parses them.
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"
#include "app/house.h"

namespace lineshaft::cli {
namespace {

std::vector<CLI::App*> commands_below(const CLI::App& app) {
    std::vector<CLI::App*> list;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        list.push_back(const_cast<CLI::App*>(command));
    }
    return list;
}

Exit explain_code(const std::string& word) {
    for (const ErrorText& text : error_texts) {
        if (fmt::format("LS-{}", static_cast<unsigned>(text.code)) != word) continue;
        std::printf("%s  %s\n\n  what  %s\n  try   %s\n", word.c_str(), std::string(text.name).c_str(),
                    std::string(text.says).c_str(), std::string(text.remedy).c_str());
        return Exit::Ok;
    }
    return report(Error(ErrorCode::NotFound, fmt::format("there is no error {}", word)));
}

Exit help(CLI::App& app, const std::vector<std::string>& words) {
    if (words.empty()) {
        std::printf("%s", app.help().c_str());
        return Exit::Ok;
    }
    if (words[0].starts_with("LS-")) return explain_code(words[0]);
    CLI::App* at = &app;
    for (const std::string& word : words) {
        CLI::App* next = nullptr;
        std::vector<std::string> names;
        for (CLI::App* command : commands_below(*at)) {
            names.push_back(command->get_name());
            if (command->get_name() == word) next = command;
        }
        if (!next) {
            const auto near = app::nearest(word, names);
            return report(Error(ErrorCode::NotFound, fmt::format("there is no command '{}'{}", word,
                                                                 near ? ": did you mean '" + *near + "'?" : "")));
        }
        at = next;
    }
    std::printf("%s", at->help().c_str());
    return Exit::Ok;
}

std::string words_of(const CLI::App& app) {
    std::string words;
    for (const CLI::App* command : commands_below(app)) words += (words.empty() ? "" : " ") + command->get_name();
    return words;
}

std::string options_of(const CLI::App& app) {
    std::string words;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) words += (words.empty() ? "--" : " --") + name;
    }
    return words;
}

/// Tag paths and device names of the running house are completed too, within 150 ms.
constexpr const char* bash_head = R"(# lineshaft completion for bash: source <(lineshaft completion bash)
_lineshaft_live() { timeout 0.15 lineshaft "$@" --output csv -q 2>/dev/null | tail -n +2 | cut -d, -f1; }
_lineshaft() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]} second=${COMP_WORDS[2]} list=""
    if ((COMP_CWORD == 1)); then list="@COMMANDS@"; fi
    case "$first" in
)";

std::string completion_bash(const CLI::App& app) {
    std::string script = bash_head;
    script.replace(script.find("@COMMANDS@"), 10, words_of(app));
    for (const CLI::App* command : commands_below(app)) {
        const std::string below = words_of(*command);
        script +=
            fmt::format("    {}) if [[ $word == -* ]]; then list=\"{}\"", command->get_name(), options_of(*command));
        if (!below.empty()) script += fmt::format("; elif ((COMP_CWORD == 2)); then list=\"{}\"", below);
        if (command->get_name() == "tag") script += "; else list=$(_lineshaft_live tag list)";
        if (command->get_name() == "device") script += "; else list=$(_lineshaft_live device list)";
        if (command->get_name() == "query") script += "; else list=$(_lineshaft_live tag list)";
        script += "; fi ;;\n";
    }
    return script +
           "    esac\n    COMPREPLY=($(compgen -W \"${list// /$'\\n'}\" -- \"$word\"))\n}\ncomplete -o default -F "
           "_lineshaft lineshaft\n";
}

std::string completion_fish(const CLI::App& app) {
    std::string script =
        "# lineshaft completion for fish: lineshaft completion fish | source\ncomplete -c lineshaft -f\n";
    for (const CLI::App* command : commands_below(app)) {
        script += fmt::format("complete -c lineshaft -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                              command->get_description());
        for (const CLI::App* below : commands_below(*command)) {
            script += fmt::format("complete -c lineshaft -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n",
                                  command->get_name(), below->get_name(), below->get_description());
        }
    }
    return script;
}

Exit completion(const CLI::App& app, const std::string& shell) {
    std::string script;
    if (shell == "bash") script = completion_bash(app);
    if (shell == "zsh")
        script = "#compdef lineshaft\nautoload -U +X bashcompinit && bashcompinit\n" + completion_bash(app);
    if (shell == "fish") script = completion_fish(app);
    std::printf("%s", script.c_str());
    return Exit::Ok;
}

}  // namespace

void add_help(CLI::App& app, Action& action) {
    auto output = std::make_shared<Output>();
    CLI::App* version = app.add_subcommand("version", "What this program is, for people and for programs");
    add_output_options(*version, *output);
    version->footer("Example:\n  lineshaft version --output json");
    version->callback([=, &action] {
        action = [=] {
            if (output->is_json())
                std::printf("%s\n", Json{{"version", app::version()}, {"compiler", __VERSION__}}.dump().c_str());
            else
                std::printf("lineshaft %s\n", app::version().c_str());
            return Exit::Ok;
        };
    });

    auto shell = std::make_shared<std::string>();
    CLI::App* script = app.add_subcommand("completion", "Completion script for bash, zsh or fish");
    script->add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    script->callback([=, &app, &action] { action = [=, &app] { return completion(app, *shell); }; });

    auto words = std::make_shared<std::vector<std::string>>();
    CLI::App* command = app.add_subcommand("help", "Explain a command or an error code like LS-2103");
    command->add_option("words", *words, "Command, or code");
    command->callback([=, &app, &action] { action = [=, &app] { return help(app, *words); }; });
}

}  // namespace lineshaft::cli
