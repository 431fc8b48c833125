#include "backup/service.h"
#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

constexpr TenantId house_tenant{1};

/// A backup holds the house as a whole: its keys, and what belongs to every tenant.
Result<void> check_house(const Call& call) {
    if (call.tenant() == house_tenant) return {};
    return fail(ErrorCode::Forbidden, "a backup holds all tenants: only the house's own administrators may see it");
}

Json job_json(const backup::Job& job) {
    return {{"number", job.number},
            {"state", to_text(job.state)},
            {"path", job.path},
            {"snapshot", job.snapshot.empty() ? Json() : Json(job.snapshot)},
            {"error", job.error.empty() ? Json() : Json(job.error)},
            {"started", time_json(job.started)},
            {"ended", time_json(job.ended)},
            {"files", job.files},
            {"files_all", job.files_all},
            {"bytes", job.bytes},
            {"bytes_all", job.bytes_all},
            {"added_bytes", job.added_bytes},
            {"stored_bytes", job.stored_bytes}};
}

std::string clock_text(const backup::DailyTime& time) {
    return std::string{static_cast<char>('0' + time.hour / 10), static_cast<char>('0' + time.hour % 10), ':',
                       static_cast<char>('0' + time.minute / 10), static_cast<char>('0' + time.minute % 10)};
}

Json report_json(const backup::Report& report) {
    Json items = Json::array();
    for (const backup::SnapshotInfo& info : report.snapshots) items.push_back(Json::parse(backup::to_json(info)));
    const backup::Plan& plan = report.plan;
    return {{"items", std::move(items)},
            {"next", nullptr},
            {"job", report.job ? job_json(*report.job) : Json()},
            {"path", plan.path.empty() ? Json() : Json(plan.path)},
            {"encrypted", report.encrypted},
            {"schedule", plan.schedule ? Json(clock_text(*plan.schedule)) : Json()},
            {"keep", to_text(plan.keep)},
            {"last_success", time_json(report.last_success)},
            {"next_run", time_json(report.next_run)},
            {"overdue", report.overdue},
            {"error", report.error.empty() ? Json() : Json(report.error)}};
}

void get_backups(Call call) {
    if (const auto may = check_house(call); !may) return call.answer(may.error());
    backup::Service* service = call.services->backup;
    if (!service) return call.answer(report_json({}));
    Shard& shard = call.services->shard;
    service->post_report(shard, [held = std::make_unique<Call>(std::move(call))](Result<backup::Report> report) {
        if (!report) return held->answer(report.error());
        held->answer(report_json(*report));
    });
}

/// Directories are named by those who sit at the machine only: elsewhere a request could have files written anywhere.
Result<backup::Request> request_of(const Call& call) {
    const Json body = call.request.body.empty() ? Json::object() : TRY(call.body());
    backup::Request request;
    request.path = TRY(text_field(body, "path")).value_or("");
    request.passphrase_file = TRY(text_field(body, "passphrase_file")).value_or("");
    request.unencrypted = TRY(bool_field(body, "unencrypted")).value_or(false);
    const bool names_something = !request.path.empty() || !request.passphrase_file.empty() || request.unencrypted;
    if (names_something && !call.request.peer.loopback)
        return fail(
            ErrorCode::Forbidden,
            "'path', 'passphrase_file' and 'unencrypted' are taken from the machine itself only; elsewhere the "
            "configured backup is what may be started");
    request.actor = call.principal.actor();
    request.address = call.request.peer.address.host;
    return request;
}

void post_backup(Call call) {
    if (const auto may = check_house(call); !may) return call.answer(may.error());
    auto request = request_of(call);
    if (!request) return call.answer(request.error());
    backup::Service* service = call.services->backup;
    if (!service) return call.answer(Error(ErrorCode::Conflict, "this house takes no backups"));
    Shard& shard = call.services->shard;
    service->post_start(shard, *std::move(request),
                        [held = std::make_unique<Call>(std::move(call))](Result<backup::Job> job) {
                            if (!job) return held->answer(job.error());
                            held->answer({{"job", job_json(*job)}}, 202);
                        });
}

}  // namespace

std::vector<Route> backup_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/backups", ManageBackups, get_backups},
            {"POST", "/api/v1/backups", ManageBackups, post_backup}};
}

}  // namespace lineshaft::rest
