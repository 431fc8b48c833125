#include "transfer/internal/exporter.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace lineshaft::transfer {
namespace {

// A walk holds its segments alive: after so many rows it is made anew, so that compaction gets its space back.
constexpr std::uint64_t rows_per_walk_max = 4 * 1024 * 1024;
constexpr std::size_t buckets_per_walk_max = 20'000;
// A step ends after so many rows, also when they pack into few bytes.
constexpr std::uint64_t rows_per_step_max = 256 * 1024;

/// The end of the stretch of buckets that begins at `from`: a whole multiple of the resolution, not behind `to`.
UtcTime stretch_end(UtcTime from, UtcTime to, Duration resolution) {
    const auto step = resolution.count();
    std::int64_t span = 0, end = 0;
    if (__builtin_mul_overflow(step, static_cast<std::int64_t>(buckets_per_walk_max), &span)) return to;
    const std::int64_t begin = from.ns() - ((from.ns() % step) + step) % step;
    if (__builtin_add_overflow(begin, span, &end)) return to;
    return std::min(UtcTime(end), to);
}

}  // namespace

/// The exporter's, and the step's while one is under way: a step may outlive its exporter.
struct Exporter::Work {
    Work(Rooms given, Question asked)
        : rooms(given), question(std::move(asked)), encoder(Encoder::create(question)), place{0, question.from} {}

    const Rooms rooms;
    const Question question;
    std::unique_ptr<Encoder> encoder;
    Place place;
    bool begun = false;
    std::optional<store::Scan> scan;
    std::optional<store::Reducer> reducer;
    UtcTime stretch_to;  // Of the reducer.
    std::uint64_t walk_rows = 0;
    std::uint64_t damaged = 0;
};

/// One step on its way.
class Exporter::Run {
public:
    Run(Exporter& owner, std::size_t bytes, Done done)
        : owner_(owner), life_(owner.life_), work_(std::move(owner.work_)), bytes_(bytes), done_(std::move(done)) {}

    static void go_on(std::unique_ptr<Run> run);

private:
    static void open_walk(std::unique_ptr<Run> run);
    static void opened(std::unique_ptr<Run> run, Result<store::Scan> scan);
    static void opened(std::unique_ptr<Run> run, Result<store::Reducer> reducer);
    static void read_on_pool(std::unique_ptr<Run> run);
    void read();
    void read_rows();
    void read_buckets();
    void next_tag();
    void finish(Result<Step> step);
    bool is_enough() const { return step_.bytes.size() >= bytes_ || step_.rows >= rows_per_step_max; }
    const ExportTag& tag() const { return work_->question.tags[work_->place.tag]; }

    Exporter& owner_;
    const std::weak_ptr<const int> life_;  // Of the owner.
    std::unique_ptr<Work> work_;
    const std::size_t bytes_;
    Done done_;
    Step step_;
};

void Exporter::Run::finish(Result<Step> step) {
    if (life_.expired()) return;
    owner_.work_ = std::move(work_);
    done_(std::move(step));
}

void Exporter::Run::next_tag() {
    Work& work = *work_;
    work.scan.reset();
    work.reducer.reset();
    ++work.place.tag;
    work.place.time = work.question.from;
    work.walk_rows = 0;
}

/// On the own shard: opens what is to be read next, reads, or is done.
void Exporter::Run::go_on(std::unique_ptr<Run> run) {
    Work& work = *run->work_;
    if (!work.begun) {
        work.begun = true;
        work.encoder->begin(run->step_.bytes);
    }
    if (work.place.tag == work.question.tags.size()) {
        work.encoder->finish(run->step_.bytes);
        run->step_.ended = true;
    }
    if (run->step_.ended || run->is_enough()) return run->finish(std::move(run->step_));
    if (!work.scan && !work.reducer) return open_walk(std::move(run));
    read_on_pool(std::move(run));
}

void Exporter::Run::open_walk(std::unique_ptr<Run> run) {
    Work& work = *run->work_;
    const ExportTag& tag = run->tag();
    store::Historian& historian = work.rooms.store.at(tag.home);
    const UtcTime from = work.place.time, to = work.question.to;
    if (!work.question.is_raw()) work.stretch_to = stretch_end(from, to, work.question.resolution);
    work.rooms.shards.at(tag.home).post([run = std::move(run), &historian, id = tag.id, from, to]() mutable {
        Work& at = *run->work_;
        if (at.question.is_raw()) {
            at.rooms.shard.post([run = std::move(run), scan = historian.scan(id, from, to)]() mutable {
                opened(std::move(run), std::move(scan));
            });
        } else {
            auto made = historian.reducer(id, from, at.stretch_to, at.question.resolution);
            at.rooms.shard.post([run = std::move(run), made = std::move(made)]() mutable {
                opened(std::move(run), std::move(made));
            });
        }
    });
}

void Exporter::Run::opened(std::unique_ptr<Run> run, Result<store::Scan> scan) {
    if (scan)
        run->work_->scan = *std::move(scan);
    else if (scan.error().code() == ErrorCode::NotFound)
        run->next_tag();  // Known and never heard of.
    else
        return run->finish(std::unexpected(scan.error()));
    go_on(std::move(run));
}

void Exporter::Run::opened(std::unique_ptr<Run> run, Result<store::Reducer> reducer) {
    if (reducer)
        run->work_->reducer = *std::move(reducer);
    else if (reducer.error().code() == ErrorCode::NotFound)
        run->next_tag();
    else
        return run->finish(std::unexpected(reducer.error()));
    go_on(std::move(run));
}

void Exporter::Run::read_on_pool(std::unique_ptr<Run> run) {
    WorkerPool& pool = run->work_->rooms.pool;
    pool.post([run = std::move(run)]() mutable {
        run->read();
        Shard& shard = run->work_->rooms.shard;
        shard.post([run = std::move(run)]() mutable { go_on(std::move(run)); });
    });
}

void Exporter::Run::read() {
    if (work_->scan)
        read_rows();
    else
        read_buckets();
}

void Exporter::Run::read_rows() {
    Work& work = *work_;
    store::Chunk rows;
    while (!is_enough()) {
        if (!work.scan->next(rows)) {
            work.damaged += work.scan->damaged_blocks();
            return next_tag();
        }
        if (rows.empty()) continue;
        work.encoder->add(tag(), rows, step_.bytes);
        step_.rows += rows.size();
        work.walk_rows += rows.size();
        const UtcTime last = rows.source_times.back();
        if (last == utc_time_max) return next_tag();
        work.place.time = last + Duration(1);
        if (work.walk_rows < rows_per_walk_max) continue;
        work.damaged += work.scan->damaged_blocks();
        work.scan.reset();
        work.walk_rows = 0;
        return;
    }
}

void Exporter::Run::read_buckets() {
    Work& work = *work_;
    if (work.reducer->step()) return;
    const store::Reduction reduction = work.reducer->take();
    work.reducer.reset();
    work.damaged += reduction.damaged_blocks;
    work.encoder->add(tag(), reduction.buckets, step_.bytes);
    step_.rows += reduction.buckets.size();
    work.place.time = work.stretch_to;
    if (work.stretch_to >= work.question.to) next_tag();
}

Exporter::Exporter(Rooms rooms, Question question) : work_(std::make_unique<Work>(rooms, std::move(question))) {}
Exporter::~Exporter() = default;

Result<void> Exporter::resume(const Mark& mark, Place place, std::uint64_t file_bytes) {
    if (place.tag > work_->question.tags.size()) return fail(ErrorCode::Corrupt, "the place is behind the last tag");
    TRY_VOID(work_->encoder->resume(mark, file_bytes));
    work_->place = place;
    work_->begun = true;
    return {};
}

void Exporter::step(std::size_t bytes, Done done) {
    ASSERT(work_);
    Run::go_on(std::make_unique<Run>(*this, bytes, std::move(done)));
}

Mark Exporter::mark(Bytes& out) {
    ASSERT(work_);
    return work_->encoder->mark(out);
}

Place Exporter::place() const { return work_->place; }

double Exporter::share() const {
    const Question& question = work_->question;
    if (work_->place.tag >= question.tags.size()) return 1;
    const double span = static_cast<double>(question.to.ns()) - static_cast<double>(question.from.ns());
    const double done = static_cast<double>(work_->place.time.ns()) - static_cast<double>(question.from.ns());
    return (static_cast<double>(work_->place.tag) + std::clamp(span > 0 ? done / span : 0, 0.0, 1.0)) /
           static_cast<double>(question.tags.size());
}

std::uint64_t Exporter::damaged_blocks() const { return work_->damaged; }

}  // namespace lineshaft::transfer
