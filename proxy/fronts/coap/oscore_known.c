/* The registry of option numbers, as far as it says what OSCORE does with them. The hard thing: what is right for a
 * plain proxy, to pass on what is safe to forward, is wrong for one that protects: in which class an option is that it
 * does not know, and so who was to read it, it can only guess. */
#include "fronts/coap/oscore_known.h"

#include "wire/msg.h"

enum { EDHOC = 21, OCF_ACCEPT_VERSION = 2049, OCF_CONTENT_VERSION = 2053 };

/* RFC 7252, 7641, 7959, 7967, 8613, 8768, 9175, 9177, 9668 (EDHOC), and the Open Connectivity Foundation's. */
static const uint16_t registered[] = {
    CG_OPT_IF_MATCH,     CG_OPT_URI_HOST,       CG_OPT_ETAG,           CG_OPT_IF_NONE_MATCH,
    CG_OPT_OBSERVE,      CG_OPT_URI_PORT,       CG_OPT_LOCATION_PATH,  CG_OPT_OSCORE,
    CG_OPT_URI_PATH,     CG_OPT_CONTENT_FORMAT, CG_OPT_MAX_AGE,        CG_OPT_URI_QUERY,
    CG_OPT_HOP_LIMIT,    CG_OPT_ACCEPT,         CG_OPT_Q_BLOCK1,       EDHOC,
    CG_OPT_BLOCK2,       CG_OPT_BLOCK1,         CG_OPT_LOCATION_QUERY, CG_OPT_SIZE2,
    CG_OPT_Q_BLOCK2,     CG_OPT_PROXY_URI,      CG_OPT_PROXY_SCHEME,   CG_OPT_SIZE1,
    CG_OPT_ECHO,         CG_OPT_NO_RESPONSE,    CG_OPT_REQUEST_TAG,    OCF_ACCEPT_VERSION,
    OCF_CONTENT_VERSION,
};

bool cg_oscore_knows(const struct cg_option_numbers *numbers, uint16_t number) {
    const uint16_t drafts[] = {numbers->multicast_timeout, numbers->reply_from, numbers->group_etag,
                               numbers->uri_path_abbrev,   numbers->proxy_cri,  numbers->proxy_scheme_number};
    for (size_t i = 0; i < sizeof registered / sizeof *registered; i++)
        if (registered[i] == number) return true;
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++)
        if (drafts[i] == number) return true;
    return false;
}

bool cg_oscore_find_unknown(const struct cg_option_numbers *numbers, struct cg_slice options, uint16_t *number) {
    const struct cg_msg msg = {.options = options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        *number = opt.number;
        if (!cg_oscore_knows(numbers, opt.number)) return true;
    }
    return false;
}
