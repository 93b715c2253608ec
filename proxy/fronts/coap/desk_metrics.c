/* Figures as Prometheus text: families by name, with their help, and what tells their lines apart. */
#include "fronts/coap/desk_metrics.h"
#include "fronts/coap/figure.h"

struct part {
    const char *value; /* of the label */
    uint64_t count;
};

static void put_parts(struct cg_buf *to, const char *name, const char *label, const struct part *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cg_buf_printf(to, "castgate_coap_%s{%s=\"%s\"} %llu\n", name, label, parts[i].value,
                      (unsigned long long)parts[i].count);
    }
}
#define PUT_PARTS(to, name, label, parts) put_parts(to, name, label, parts, sizeof(parts) / sizeof(parts)[0])

static void put_reuse(struct cg_buf *to, const struct cg_coap_desk_counts *counts) {
    const struct part parts[] = {
        {"stop", counts->reused[CG_REUSE_STOPS]},      {"stop-nothing", counts->stopped_nothing},
        {"renewal", counts->reused[CG_REUSE_RENEWS]},  {"cancellation", counts->reused[CG_REUSE_CANCELS]},
        {"block", counts->reused[CG_REUSE_CONTINUES]}, {"collision", counts->reused[CG_REUSE_COLLIDES]},
    };
    cg_coap_figure_head(
        to, "token_reuse_total", "counter",
        "Messages on a token on which a request was running, and early stops of nothing, by what they were.");
    PUT_PARTS(to, "token_reuse_total", "kind", parts);
}

static void put_left(struct cg_buf *to, const struct cg_coap_desk_counts *counts) {
    const struct part parts[] = {{"rejection", counts->lost}, {"gone", counts->gone}};
    cg_coap_figure_head(to, "exchanges_left_total", "counter",
                        "Exchanges whose client rejected a response or did not acknowledge it, or was gone.");
    PUT_PARTS(to, "exchanges_left_total", "by", parts);
}

static void put_responses(struct cg_buf *to, const struct cg_coap_desk_counts *counts) {
    const struct part parts[] = {{"sent", counts->sent}, {"failed", counts->unsent}};
    cg_coap_figure_head(to, "separate_responses_total", "counter",
                        "Separate responses to clients, by what became of them.");
    PUT_PARTS(to, "separate_responses_total", "result", parts);
}

void cg_coap_desk_metrics(const struct cg_coap_desk *desk, struct cg_buf *to) {
    const struct cg_coap_desk_counts *counts = cg_coap_desk_counts(desk);
    cg_coap_figure_put(to, "exchanges_running", "gauge", "Exchanges of CoAP clients that have not ended.",
                       cg_coap_desk_running(desk));
    cg_coap_figure_put(to, "challenges_total", "counter",
                       "Requests from other addresses that were answered by an Echo.",
                       cg_coap_desk_gate(desk)->challenged);
    put_reuse(to, counts);
    put_left(to, counts);
    put_responses(to, counts);
}
