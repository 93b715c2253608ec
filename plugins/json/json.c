/* The reply as one JSON document. */
#include "builtin.h"
#include "json/json_write.h"
#include "lend.h"

/* Writes what is in the buffer and empties it. The result is an operation's. */
static int flush(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    int result = cg_write_out(host, call, buf);
    cg_buf_clear(buf);
    return result;
}

static int put_answers(const struct castgate_host *host, struct castgate_call *call, struct cg_buf *buf) {
    struct castgate_answer answer;
    for (size_t i = 0; host->answer(call, i, &answer); i++) {
        if (i > 0) cg_buf_put_u8(buf, ',');
        cg_json_put_answer(buf, &answer);
        int result = flush(host, call, buf);
        if (result != 0) return result;
    }
    return 0;
}

static int json_head(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_buf_put_u8(&buf, '{');
    cg_json_put_text(&buf, "exchange", host->exchange(call));
    cg_json_put_text(&buf, "mapping", host->mapping(call));
    cg_json_put_key(&buf, "summary");
    cg_json_put_summary(&buf, host->summary(call));
    int result = flush(host, call, &buf);
    cg_buf_fini(&buf);
    return result;
}

static int json_encode(const struct castgate_host *host, struct castgate_call *call) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    cg_buf_put_str(&buf, ",\"answers\":[");
    int result = put_answers(host, call, &buf);
    cg_buf_put_str(&buf, "],\"missing\":[");
    struct castgate_missing missing;
    for (size_t i = 0; host->missing(call, i, &missing); i++) {
        if (i > 0) cg_buf_put_u8(&buf, ',');
        cg_json_put_missing(&buf, &missing);
    }
    cg_buf_put_str(&buf, "],\"rejected\":[");
    struct castgate_rejected rejected;
    for (size_t i = 0; host->rejected(call, i, &rejected); i++) {
        if (i > 0) cg_buf_put_u8(&buf, ',');
        cg_json_put_rejected(&buf, &rejected);
    }
    cg_buf_put_str(&buf, "]}\n");
    if (result == 0) result = flush(host, call, &buf);
    cg_buf_fini(&buf);
    return result;
}

static const struct castgate_encoder json_encoder = {
    .media_type = "application/json",
    .empty_is_204 = false,
    .encode = json_encode,
    .encode_is_common = true,
    .head = json_head,
};

const struct castgate_plugin cg_plugin_json = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "json",
    .ops.encoder = &json_encoder,
};
