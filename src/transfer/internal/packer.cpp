#include "transfer/internal/packer.h"

#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"

namespace lineshaft::transfer {
namespace {

constexpr std::size_t room_bytes = 64 * 1024;

class Plain final : public Packer {
public:
    void add(std::string_view text, Bytes& out) override { ByteWriter(out).text(text); }
    void end(Bytes&) override {}
};

class Gzip final : public Packer {
public:
    Gzip() {
        // 16 more than the window's bits: gzip's head and tail.
        ASSERT(deflateInit2(&stream_, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    }
    Gzip(const Gzip&) = delete;
    Gzip& operator=(const Gzip&) = delete;
    ~Gzip() override { deflateEnd(&stream_); }

    void add(std::string_view text, Bytes& out) override {
        if (text.empty()) return;
        begun_ = true;
        run(text, Z_NO_FLUSH, out);
    }
    void end(Bytes& out) override {
        if (!begun_) return;
        run({}, Z_FINISH, out);
        deflateReset(&stream_);
        begun_ = false;
    }

private:
    void run(std::string_view text, int flush, Bytes& out) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        do {
            const std::size_t at = out.size();
            out.resize(at + room_bytes);
            stream_.next_out = reinterpret_cast<Bytef*>(out.data() + at);
            stream_.avail_out = room_bytes;
            deflate(&stream_, flush);
            out.resize(out.size() - stream_.avail_out);
        } while (stream_.avail_out == 0);
    }
    z_stream stream_{};
    bool begun_ = false;
};

class Zstd final : public Packer {
public:
    Zstd() : context_(ZSTD_createCCtx()) {
        ASSERT(context_);
        ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 3);
    }
    Zstd(const Zstd&) = delete;
    Zstd& operator=(const Zstd&) = delete;
    ~Zstd() override { ZSTD_freeCCtx(context_); }

    void add(std::string_view text, Bytes& out) override {
        if (text.empty()) return;
        begun_ = true;
        run(text, ZSTD_e_continue, out);
    }
    void end(Bytes& out) override {
        if (!begun_) return;
        run({}, ZSTD_e_end, out);
        begun_ = false;
    }

private:
    void run(std::string_view text, ZSTD_EndDirective end, Bytes& out) {
        ZSTD_inBuffer in{text.data(), text.size(), 0};
        for (;;) {
            const std::size_t at = out.size();
            out.resize(at + room_bytes);
            ZSTD_outBuffer to{out.data() + at, room_bytes, 0};
            const std::size_t left = ZSTD_compressStream2(context_, &to, &in, end);
            ASSERT(!ZSTD_isError(left));
            out.resize(at + to.pos);
            if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
        }
    }
    ZSTD_CCtx* context_;
    bool begun_ = false;
};

}  // namespace

std::unique_ptr<Packer> Packer::create(Packing packing) {
    if (packing == Packing::Gzip) return std::make_unique<Gzip>();
    if (packing == Packing::Zstd) return std::make_unique<Zstd>();
    return std::make_unique<Plain>();
}

}  // namespace lineshaft::transfer
