#include "wire/table/decompress.h"

#include <array>

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"

namespace lineshaft::wire::table {
namespace {

constexpr std::size_t window_bytes = 128 * 1024;

class Plain final : public Decompressor {
public:
    Result<void> feed(ByteView bytes, const Take& take) override {
        if (!bytes.empty()) take(bytes);
        return {};
    }
    Result<void> finish() override { return {}; }
    const char* name() const override { return "plain"; }
};

class Gzip final : public Decompressor {
public:
    Gzip() : window_(window_bytes) { ASSERT(inflateInit2(&stream_, 15 + 16) == Z_OK); }
    ~Gzip() override { inflateEnd(&stream_); }

    Result<void> feed(ByteView bytes, const Take& take) override {
        while (!bytes.empty()) {
            if (ended_) {
                // Another member may follow; zero bytes are padding (RFC 1952 says nothing, gzip allows it).
                if (bytes.front() == std::byte{0}) return {};
                inflateReset(&stream_);
                ended_ = false;
            }
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
            stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), 1U << 30));
            const std::size_t given = stream_.avail_in;
            do {
                stream_.next_out = reinterpret_cast<Bytef*>(window_.data());
                stream_.avail_out = static_cast<uInt>(window_.size());
                const int result = inflate(&stream_, Z_NO_FLUSH);
                if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
                    return fail(ErrorCode::Malformed,
                                fmt::format("damaged gzip: {}", stream_.msg ? stream_.msg : "?"));
                }
                const std::size_t made = window_.size() - stream_.avail_out;
                if (made > 0) take(ByteView(window_).first(made));
                ended_ = result == Z_STREAM_END;
            } while (!ended_ && stream_.avail_out == 0);
            bytes = bytes.subspan(given - stream_.avail_in);
        }
        return {};
    }
    Result<void> finish() override {
        if (!ended_) return fail(ErrorCode::Malformed, "the gzip file ends too early");
        return {};
    }
    const char* name() const override { return "gzip"; }

private:
    z_stream stream_{};
    Bytes window_;
    bool ended_ = false;
};

class Zstd final : public Decompressor {
public:
    Zstd() : context_(ZSTD_createDCtx()), window_(window_bytes) { ASSERT(context_); }
    ~Zstd() override { ZSTD_freeDCtx(context_); }

    Result<void> feed(ByteView bytes, const Take& take) override {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        ZSTD_outBuffer out{window_.data(), window_.size(), 0};
        do {
            out.pos = 0;
            const std::size_t taken_before = in.pos;
            const std::size_t result = ZSTD_decompressStream(context_, &out, &in);
            if (ZSTD_isError(result)) {
                return fail(ErrorCode::Malformed, fmt::format("damaged zstd: {}", ZSTD_getErrorName(result)));
            }
            if (out.pos > 0) take(ByteView(window_).first(out.pos));
            // A call that neither takes nor gives anything says nothing about the frame.
            if (out.pos > 0 || in.pos > taken_before) ended_ = result == 0;
        } while (in.pos < in.size || out.pos == out.size);
        return {};
    }
    Result<void> finish() override {
        if (!ended_) return fail(ErrorCode::Malformed, "the zstd file ends too early");
        return {};
    }
    const char* name() const override { return "zstd"; }

private:
    ZSTD_DCtx* context_;
    Bytes window_;
    bool ended_ = false;
};

bool begins_with(ByteView head, std::initializer_list<unsigned> magic) {
    if (head.size() < magic.size()) return false;
    std::size_t at = 0;
    for (const unsigned byte : magic) {
        if (head[at++] != static_cast<std::byte>(byte)) return false;
    }
    return true;
}

}  // namespace

std::unique_ptr<Decompressor> Decompressor::create(ByteView head) {
    if (begins_with(head, {0x1F, 0x8B})) return std::make_unique<Gzip>();
    if (begins_with(head, {0x28, 0xB5, 0x2F, 0xFD})) return std::make_unique<Zstd>();
    return std::make_unique<Plain>();
}

}  // namespace lineshaft::wire::table
