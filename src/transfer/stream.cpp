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
class AheadStream : public ExportStream {
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
    /// What `work` does is left out when the stream has died meanwhile: its reader may leave at any time.
    template <class Work>
    auto guarded(Work work) {
        return [life = std::weak_ptr(life_), work = std::move(work)](auto&& result) mutable {
            if (!life.expired()) work(std::forward<decltype(result)>(result));
        };
    }
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
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

class QuestionStream final : public AheadStream {
public:
    QuestionStream(Exporter::Rooms rooms, Question question) : exporter_(rooms, std::move(question)) {}

private:
    void fetch() override {
        exporter_.step(step_bytes, [this](Result<Step> step) { take(std::move(step)); });
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
            guarded([this, last = at_ == end_](Result<std::string> piece) {
                piece ? arrived(*std::move(piece), last) : failed(std::move(piece).error());
            }));
    }
    WorkerPool& pool_;
    Shard& shard_;
    const std::shared_ptr<const ReadFile> file_;
    std::uint64_t at_;
    const std::uint64_t end_;
};

}  // namespace

std::unique_ptr<ExportStream> stream_export(ExportRooms rooms, Shard& shard, Question question) {
    return std::make_unique<QuestionStream>(Exporter::Rooms{shard, rooms.shards, rooms.store, rooms.pool},
                                            std::move(question));
}

std::unique_ptr<ExportStream> stream_file(WorkerPool& pool, Shard& shard, std::shared_ptr<const ReadFile> file,
                                          std::uint64_t from, std::uint64_t to) {
    ASSERT(from <= to && to <= file->size());
    return std::make_unique<FileStream>(pool, shard, std::move(file), from, to);
}

}  // namespace lineshaft::transfer
