/// Every bound in one place; the relations between them are checked by the compiler.
///
/// A bound that a user may want to change is a default here and a key in the configuration; the others
/// protect memory.
#pragma once

#include <cstddef>

namespace lineshaft::limits {

// Batches: what travels from a door to the store.
inline constexpr std::size_t batch_samples_max = 8192;
inline constexpr std::size_t string_value_bytes_max = 64 * 1024;
inline constexpr std::size_t mailbox_tasks_max = 4096;

// Names.
inline constexpr std::size_t tag_path_bytes_max = 1024;
inline constexpr std::size_t device_name_bytes_max = 512;
inline constexpr std::size_t devices_discovered_max = 100'000;
inline constexpr std::size_t tags_discovered_per_device_max = 5'000;

// The log: a batch must fit in one record, or a crash could keep half of it.
inline constexpr std::size_t wal_record_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t batch_text_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t sample_fixed_bytes_max = 48;
static_assert(batch_samples_max * sample_fixed_bytes_max + batch_text_bytes_max <= wal_record_bytes_max);
inline constexpr std::size_t wal_unsynced_bytes_max = 64 * 1024 * 1024;

// HTTP.
inline constexpr std::size_t http_header_bytes_max = 16 * 1024;
inline constexpr std::size_t http_body_bytes_max = 32 * 1024 * 1024;
inline constexpr std::size_t http_inflated_bytes_max = 256 * 1024 * 1024;
inline constexpr std::size_t http_connections_max = 4096;
inline constexpr std::size_t websocket_message_bytes_max = 1024 * 1024;

// A connection that does not read: beyond this many unsent bytes it is cut or its source is slowed.
inline constexpr std::size_t stream_unsent_bytes_max = 16 * 1024 * 1024;

// MQTT.
inline constexpr std::size_t mqtt_packet_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t mqtt_first_packet_bytes_max = 64 * 1024;
inline constexpr std::size_t mqtt_topic_bytes_max = 1024;
inline constexpr std::size_t mqtt_topic_levels_max = 64;
inline constexpr std::size_t mqtt_receive_maximum = 1024;
inline constexpr std::size_t mqtt_topic_alias_max = 256;
inline constexpr std::size_t mqtt_queued_messages_max = 100'000;
inline constexpr std::size_t mqtt_queued_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t mqtt_retained_max = 1'000'000;
inline constexpr std::size_t mqtt_subscriptions_per_session_max = 10'000;

// JSON from outside.
inline constexpr std::size_t json_depth_max = 32;
inline constexpr std::size_t json_values_max = 100'000;

}  // namespace lineshaft::limits
