/// Fuzz: Modbus TCP frames, requests and responses.
///
/// Strategy: the input is a stream, given to the reader in two pieces (the first byte says where it is cut). Every
/// frame is read as a request, and as the answer to each kind of request.
///
/// Invariants: nothing is read outside the input; however the stream is cut, the frames are the same; a request that
/// decodes encodes to the same bytes; a response that decodes has exactly what was asked for.
#include "base/assert.h"
#include "wire/modbus/modbus.h"

using namespace lineshaft;
using namespace lineshaft::wire::modbus;

namespace {

void check_request(const Frame& frame) {
    const auto request = decode_request(frame);
    if (!request) return;
    const Bytes again = encode_request(*request);
    ASSERT(again.size() == frame.pdu.size() + header_bytes);
    FrameReader reader;
    reader.add(again);
    const auto second = reader.next();
    ASSERT(second && *second);
    const auto same = decode_request(**second);
    ASSERT(same && *same == *request);
}

void check_response(const Frame& frame) {
    for (const int code : {1, 2, 3, 4, 5, 6, 15, 16, 23}) {
        Request request{
            .transaction = frame.transaction, .unit = frame.unit, .function = static_cast<Function>(code)};
        request.count =
            static_cast<std::uint16_t>(frame.pdu.size() > 1 ? static_cast<unsigned>(frame.pdu[1]) / 2 : 1);
        if (request.count == 0) request.count = 1;
        if (code == 1 || code == 2) request.count = static_cast<std::uint16_t>(request.count * 16 - 3);
        if (code == 5 || code == 15) request.bits.assign(code == 5 ? 1 : 9, 1);
        if (code == 6 || code >= 16) request.registers.assign(code == 6 ? 1 : 5, 7);
        const auto response = decode_response(frame, request);
        if (!response || response->exception) continue;
        if (code <= 2) ASSERT(response->bits.size() == request.count);
        if (code == 3 || code == 4 || code == 23) ASSERT(response->registers.size() == request.count);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView stream = std::as_bytes(std::span(data + 1, size - 1));
    const std::size_t cut = stream.empty() ? 0 : data[0] % (stream.size() + 1);

    FrameReader whole;
    whole.add(stream);
    FrameReader pieces;
    pieces.add(stream.first(cut));
    bool rest_given = false;
    while (true) {
        const auto frame = whole.next();
        auto other = pieces.next();
        if (!rest_given && other && !*other) {
            pieces.add(stream.subspan(cut));
            rest_given = true;
            other = pieces.next();
        }
        ASSERT(frame.has_value() == other.has_value());
        if (!frame || !*frame) break;
        ASSERT(*other && (*other)->transaction == (*frame)->transaction && (*other)->unit == (*frame)->unit);
        ASSERT(as_text((*other)->pdu) == as_text((*frame)->pdu));
        check_request(**frame);
        check_response(**frame);
    }
    return 0;
}
