/* One form for all of the front's figures, whoever counts them. */
#include "fronts/coap/figure.h"

void cg_coap_figure_head(struct cg_buf *to, const char *name, const char *type, const char *help) {
    cg_buf_printf(to, "# HELP castgate_coap_%s %s\n# TYPE castgate_coap_%s %s\n", name, help, name, type);
}

void cg_coap_figure_put(struct cg_buf *to, const char *name, const char *type, const char *help, uint64_t value) {
    cg_coap_figure_head(to, name, type, help);
    cg_buf_printf(to, "castgate_coap_%s %llu\n", name, (unsigned long long)value);
}

void cg_coap_figure_put_counters(struct cg_buf *to, const struct cg_coap_figure *counters, size_t count) {
    for (size_t i = 0; i < count; i++)
        cg_coap_figure_put(to, counters[i].name, "counter", counters[i].help, counters[i].value);
}
