#include "app/cli/import_sender.h"

#include <chrono>

namespace lineshaft::cli {
namespace {

constexpr std::size_t waiting_max = 4;
constexpr int tries_max = 60;

}  // namespace

ImportSender::ImportSender(const Client& client, std::size_t threads, std::function<void(std::uint64_t)> acknowledged)
    : client_(client), acknowledged_(std::move(acknowledged)) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

ImportSender::~ImportSender() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Result<void> ImportSender::send(std::string piece, std::uint64_t line) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return error_ || waiting_.size() < waiting_max; });
    if (error_) return std::unexpected(*error_);
    waiting_.push_back({next_number_++, line, std::move(piece)});
    lock.unlock();
    changed_.notify_all();
    return {};
}

Result<void> ImportSender::finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return error_ || (waiting_.empty() && under_way_ == 0); });
    if (error_) return std::unexpected(*error_);
    return {};
}

void ImportSender::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return closing_ || (!waiting_.empty() && !error_); });
        if (closing_) return;
        Piece piece = std::move(waiting_.front());
        waiting_.pop_front();
        ++under_way_;
        lock.unlock();
        changed_.notify_all();
        const Result<void> sent = post(piece.text);
        lock.lock();
        --under_way_;
        if (!sent) {
            if (!error_) error_ = sent.error();
        } else {
            done_[piece.number] = piece.line;
            std::uint64_t line = 0;
            while (!done_.empty() && done_.begin()->first == next_unbroken_) {
                line = done_.begin()->second;
                done_.erase(done_.begin());
                ++next_unbroken_;
            }
            if (line > 0) acknowledged_(line);
        }
        changed_.notify_all();
    }
}

Result<void> ImportSender::post(const std::string& text) const {
    for (int tries = 1;; ++tries) {
        const auto answer = client_.text("POST", "/api/v2/write?precision=ns", text, "text/plain; charset=utf-8",
                                         "application/json", 120s);
        if (answer) return {};
        const bool full =
            answer.error().code() == ErrorCode::Overloaded || answer.error().code() == ErrorCode::LimitExceeded;
        if (!full || tries == tries_max) return std::unexpected(answer.error());
        std::this_thread::sleep_for(1s);
    }
}

}  // namespace lineshaft::cli
