#include "south/mqtt/internal/broker_counters.h"

namespace lineshaft::mqtt::counters {

Gauge connections{"lineshaft_mqtt_connections", "", "Connected MQTT clients"};
Counter connects{"lineshaft_mqtt_connects_total", "", "Accepted CONNECT packets"};
Counter messages_in{"lineshaft_mqtt_messages_total", "direction=\"in\"", "PUBLISH packets"};
Counter messages_out{"lineshaft_mqtt_messages_total", "direction=\"out\"", "PUBLISH packets"};
Counter refused_connect{"lineshaft_mqtt_refused_total", "reason=\"connect\"", "Refused MQTT packets"};
Counter refused_acl{"lineshaft_mqtt_refused_total", "reason=\"acl\"", "Refused MQTT packets"};
Counter refused_malformed{"lineshaft_mqtt_refused_total", "reason=\"malformed\"", "Refused MQTT packets"};
Counter refused_limit{"lineshaft_mqtt_refused_total", "reason=\"limit\"", "Refused MQTT packets"};
Counter refused_store{"lineshaft_mqtt_refused_total", "reason=\"store\"", "Refused MQTT packets"};
Counter not_decodable{"lineshaft_mqtt_not_telemetry_total", "", "Messages whose payload is no telemetry"};
Counter dropped_queue_full{"lineshaft_mqtt_dropped_total", "reason=\"queue_full\"", "Messages not delivered"};
Counter dropped_slow{"lineshaft_mqtt_dropped_total", "reason=\"slow_consumer\"", "Messages not delivered"};
Counter dropped_expired{"lineshaft_mqtt_dropped_total", "reason=\"expired\"", "Messages not delivered"};
Counter dropped_rights{"lineshaft_mqtt_dropped_total", "reason=\"rights\"", "Messages not delivered"};
Counter dropped_too_large{"lineshaft_mqtt_dropped_total", "reason=\"too_large\"", "Messages not delivered"};
Counter dropped_no_member{"lineshaft_mqtt_dropped_total", "reason=\"no_member\"", "Messages not delivered"};
Counter dropped_busy{"lineshaft_mqtt_dropped_total", "reason=\"busy\"", "Messages not delivered"};
Counter cut_connect_timeout{"lineshaft_mqtt_cut_total", "reason=\"connect_timeout\"", "Connections cut"};
Counter cut_keep_alive{"lineshaft_mqtt_cut_total", "reason=\"keep_alive\"", "Connections cut"};
Counter taken_over{"lineshaft_mqtt_cut_total", "reason=\"taken_over\"", "Connections cut"};

}  // namespace lineshaft::mqtt::counters
