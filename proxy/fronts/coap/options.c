/* The options of requests as a table. The hard thing: an option is only what its definition says in the form that it
 * says (RFC 7252 §5.4.3, §5.4.5), so a number alone decides nothing. */
#include "fronts/coap/options.h"

#define WITH_ANY   UINT32_MAX
#define WITH_FETCH CG_METHODS_SAFE

struct rule {
    uint16_t number;
    uint16_t min, max; /* bytes of its value */
    bool repeatable;
    enum cg_coap_option sort;
    uint32_t methods; /* CG_METHOD_BIT set, 0 among them: those that CoAP does not have */
};

/* clang-format off */
static const struct rule rules[] = {
    {CG_OPT_IF_MATCH,       0, 8,    true,  CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_URI_HOST,       1, 255,  false, CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_ETAG,           1, 8,    true,  CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_IF_NONE_MATCH,  0, 0,    false, CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_OBSERVE,        0, 3,    false, CG_COAP_OPTION_HOP,    WITH_FETCH},
    {CG_OPT_URI_PORT,       0, 2,    false, CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_OSCORE,         0, 255,  false, CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_URI_PATH,       0, 255,  true,  CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_CONTENT_FORMAT, 0, 2,    false, CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_URI_QUERY,      0, 255,  true,  CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_HOP_LIMIT,      0, 255,  false, CG_COAP_OPTION_PASSES, WITH_ANY}, /* its length: RFC 8768 §3 */
    {CG_OPT_ACCEPT,         0, 2,    false, CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_BLOCK2,         0, 3,    false, CG_COAP_OPTION_HOP,    WITH_ANY},
    {CG_OPT_BLOCK1,         0, 3,    false, CG_COAP_OPTION_HOP,    WITH_ANY},
    {CG_OPT_SIZE2,          0, 4,    false, CG_COAP_OPTION_HOP,    WITH_ANY},
    {CG_OPT_PROXY_URI,      1, 1034, false, CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_PROXY_SCHEME,   1, 255,  false, CG_COAP_OPTION_TARGET, WITH_ANY},
    {CG_OPT_SIZE1,          0, 4,    false, CG_COAP_OPTION_HOP,    WITH_ANY},
    {CG_OPT_ECHO,           1, 40,   false, CG_COAP_OPTION_HOP,    WITH_ANY},
    {CG_OPT_NO_RESPONSE,    0, 1,    false, CG_COAP_OPTION_PASSES, WITH_ANY},
    {CG_OPT_REQUEST_TAG,    0, 8,    true,  CG_COAP_OPTION_HOP,    WITH_ANY},
};
/* clang-format on */

static bool find_in(const struct rule *list, size_t count, uint16_t number, struct rule *rule) {
    for (size_t i = 0; i < count; i++) {
        if (list[i].number != number) continue;
        *rule = list[i];
        return true;
    }
    return false;
}

/* False: there is none. */
static bool find_rule(const struct cg_option_numbers *numbers, uint16_t number, struct rule *rule) {
    const struct rule drafts[] = {
        {numbers->multicast_timeout, 0, 4, false, CG_COAP_OPTION_HOP, WITH_ANY},
        {numbers->group_etag, 1, 8, true, CG_COAP_OPTION_HOP, WITH_ANY},
        {numbers->uri_path_abbrev, 0, 4, false, CG_COAP_OPTION_TARGET, WITH_ANY},
        {numbers->proxy_cri, 1, 1023, false, CG_COAP_OPTION_TARGET, WITH_ANY},
        {numbers->proxy_scheme_number, 0, 3, false, CG_COAP_OPTION_TARGET, WITH_ANY},
    };
    return find_in(rules, sizeof rules / sizeof *rules, number, rule) ||
           find_in(drafts, sizeof drafts / sizeof *drafts, number, rule);
}

enum cg_coap_option cg_coap_option_sort(const struct cg_option_numbers *numbers, uint8_t method,
                                        const struct cg_opt *opt, uint32_t before) {
    struct rule rule;
    if (!find_rule(numbers, opt->number, &rule)) return CG_COAP_OPTION_UNKNOWN;
    if (opt->number == before && !rule.repeatable) return CG_COAP_OPTION_UNKNOWN;
    if (opt->value.len < rule.min || opt->value.len > rule.max) return CG_COAP_OPTION_UNKNOWN;
    return rule.methods & CG_METHOD_BIT(method) ? rule.sort : CG_COAP_OPTION_UNKNOWN;
}

bool cg_coap_option_is_target(const struct cg_option_numbers *numbers, uint16_t number) {
    struct rule rule;
    return find_rule(numbers, number, &rule) && rule.sort == CG_COAP_OPTION_TARGET;
}
