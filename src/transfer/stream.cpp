#include <algorithm>

#include "base/assert.h"
#include "base/counters.h"
#include "transfer/exports.h"
#include "transfer/internal/exporter.h"

namespace lineshaft::transfer {
namespace {

Counter streamed_rows{"lineshaft_export_rows_total", "kind=\"stream\"", "Rows exported"};
Counter streamed_bytes{"lineshaft_export_bytes_total", "kind=\"stream\"", "Bytes exported"};

constexpr std::size_t step_bytes = 256 * 1024;
constexpr std::uint64_t file_piece_bytes = 256 * 1024;

/// What both streams share: at most one piece ahead of the reader, fetched as soon as the one before was taken.
class AheadStream : public ExportStream, public std::enable_shared_from_this<AheadStream> {
public:
    Result<std::optional<std::string>> next() final {
        if (error_) return std::unexpected(*error_);
        if (ready_) {
            std::optional<std::string> piece = std::exchange(ready_, std::nullopt);
            if (!ended_) fetch_next();
            return piece;
        }
        if (ended_) return std::nullopt;
        if (!fetching_) fetch_next();
        if (ready_ || ended_ || error_) return next();  // It was there at once.
        return std::string();
    }
    void when_more(Task task) final {
        ASSERT(!waiting_);
        waiting_ = std::move(task);
    }

protected:
    /// Fetches; ends in arrived(), later.
    virtual void fetch() = 0;
    void arrived(std::string piece, bool ended) {
        fetching_ = false;
        ended_ = ended;
        if (!piece.empty())
            ready_ = std::move(piece);
        else if (!ended)
            return fetch_next();
        wake();
    }
    void failed(Error error) {
        fetching_ = false;
        error_ = std::move(error);
        wake();
    }

private:
    void fetch_next() {
        fetching_ = true;
        fetch();
    }
    void wake() {
        if (waiting_) std::exchange(waiting_, nullptr)();
    }
    std::optional<std::string> ready_;
    std::optional<Error> error_;
    bool fetching_ = false;
    bool ended_ = false;
    Task waiting_;
};

class QuestionStream final : public AheadStream {
public:
    QuestionStream(Exporter::Rooms rooms, Question question) : exporter_(rooms, std::move(question)) {}

private:
    void fetch() override {
        exporter_.step(step_bytes, [weak = weak_from_this()](Result<Step> step) {
            const auto self = weak.lock();
            if (!self) return;
            static_cast<QuestionStream&>(*self).take(std::move(step));
        });
    }
    void take(Result<Step> step) {
        if (!step) return failed(std::move(step).error());
        streamed_rows.add(static_cast<std::int64_t>(step->rows));
        streamed_bytes.add(static_cast<std::int64_t>(step->bytes.size()));
        arrived(std::string(as_text(step->bytes)), step->ended);
    }
    Exporter exporter_;
};

class FileStream final : public AheadStream {
public:
    FileStream(WorkerPool& pool, Shard& shard, std::shared_ptr<const ReadFile> file, std::uint64_t from,
               std::uint64_t to)
        : pool_(pool), shard_(shard), file_(std::move(file)), at_(from), end_(to) {}

private:
    void fetch() override {
        const std::uint64_t size = std::min(file_piece_bytes, end_ - at_);
        const std::uint64_t at = std::exchange(at_, at_ + size);
        pool_.run(
            shard_,
            [file = file_, at, size]() -> Result<std::string> {
                std::string piece(size, '\0');
                TRY_VOID(file->read_at(at, std::as_writable_bytes(std::span(piece.data(), piece.size()))));
                return piece;
            },
            [weak = weak_from_this(), last = at_ == end_](Result<std::string> piece) {
                const auto self = weak.lock();
                if (!self) return;
                auto& here = static_cast<FileStream&>(*self);
                piece ? here.arrived(*std::move(piece), last) : here.failed(std::move(piece).error());
            });
    }
    WorkerPool& pool_;
    Shard& shard_;
    const std::shared_ptr<const ReadFile> file_;
    std::uint64_t at_;
    const std::uint64_t end_;
};

/// Weak references to a stream need a shared one; its owner holds this.
class Held final : public ExportStream {
public:
    explicit Held(std::shared_ptr<AheadStream> stream) : stream_(std::move(stream)) {}
    Result<std::optional<std::string>> next() override { return stream_->next(); }
    void when_more(Task task) override { stream_->when_more(std::move(task)); }

private:
    std::shared_ptr<AheadStream> stream_;
};

}  // namespace

std::unique_ptr<ExportStream> stream_export(ExportRooms rooms, Shard& shard, Question question) {
    return std::make_unique<Held>(std::make_shared<QuestionStream>(
        Exporter::Rooms{shard, rooms.shards, rooms.store, rooms.pool}, std::move(question)));
}

std::unique_ptr<ExportStream> stream_file(WorkerPool& pool, Shard& shard, std::shared_ptr<const ReadFile> file,
                                          std::uint64_t from, std::uint64_t to) {
    ASSERT(from <= to && to <= file->size());
    return std::make_unique<Held>(std::make_shared<FileStream>(pool, shard, std::move(file), from, to));
}

}  // namespace lineshaft::transfer
