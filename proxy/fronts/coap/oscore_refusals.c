/* One table. The hard thing: whoever gets these words may have written another's address into its datagram, or asks ten
 * thousand times a second. */
#include "fronts/coap/oscore_refusals.h"

#include "fronts/coap/figure.h"
#include "fronts/coap/shielded.h"
#include "fronts/coap/to_coap.h"

enum {
    BURST = 100,
    RATE = 20, /* a second */
};

enum refusal { MALFORMED, UNKNOWN, REPLAYED, FORGED, FRAGMENT, NO_MESSAGE, TOO_DEEP, OTHER };
_Static_assert(OTHER + 1 == CG_OSCORE_REFUSALS, "each has its counter");

/* clang-format off */
static const struct {
    int err;
    uint8_t code;
    const char *label, *text; /* RFC 8613 §8.2; of layers: draft-ietf-core-oscore-capable-proxies, §2.1 */
} rows[CG_OSCORE_REFUSALS] = {
    [MALFORMED] =  {CG_E_BAD_OPTION,   CG_CODE(4, 2),  "malformed",  "Failed to decode COSE"},
    [UNKNOWN] =    {CG_E_UNAUTHORIZED, CG_CODE(4, 1),  "unknown",    "Security context not found"},
    [REPLAYED] =   {CG_E_REPLAY,       CG_CODE(4, 1),  "replay",     "Replay detected"},
    [FORGED] =     {CG_E_VERIFY,       CG_CODE(4, 0),  "decryption", "Decryption failed"},
    [FRAGMENT] =   {CG_E_OUTER_BLOCKS, CG_CODE(4, 13), "fragment",   "blocks are to be inside"},
    [NO_MESSAGE] = {CG_E_FORMAT,       CG_CODE(4, 0),  "no-message", "what is inside is no request"},
    [TOO_DEEP] =   {CG_E_FORBIDDEN,    CG_CODE(4, 1),  "layers",     "more layers than are taken off"},
    [OTHER] =      {0,                 CG_CODE(5, 3),  "other",      ""},
};
/* clang-format on */

static enum refusal refusal_of(int err) {
    unsigned why = 0;
    while (why < OTHER && rows[why].err != err) why++;
    return (enum refusal)why;
}

static bool may_say(struct cg_oscore_refusals *refusals, const struct cg_coap_peer *peer, size_t received,
                    const struct cg_coap_message *response, uint64_t now_us) {
    bool is_small = cg_coap_peer_proof(peer) == CG_COAP_PROVEN || cg_to_coap_size(response) <= 3 * received;
    bool is_known = cg_coap_shielded_layers(peer) > 0; /* what is outside was verified: no stranger has sent it */
    if (is_known) return is_small;
    cg_allowance_fill(&refusals->left, BURST, RATE, now_us);
    if (!is_small || refusals->left.left < 1) return false;
    refusals->left.left -= 1;
    return true;
}

void cg_oscore_refuse(struct cg_oscore_refusals *refusals, struct cg_coap_peer *peer,
                      const struct cg_coap_request *request, int err, uint64_t now_us) {
    const enum refusal why = refusal_of(err);
    uint8_t options[4];
    struct cg_msg_writer writer = {.data = options, .cap = sizeof options};
    cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, 0); /* no cache on the way is to keep it */
    const struct cg_coap_message response = {.code = rows[why].code,
                                             .token = request->message.token,
                                             .options = cg_slice_of(options, writer.len),
                                             .payload = cg_slice_str(rows[why].text)};
    refusals->counts[why]++;
    if (may_say(refusals, peer, request->size, &response, now_us)) {
        cg_coap_peer_answer(peer, &response);
    } else {
        cg_coap_peer_ignore(peer);
    }
}

void cg_oscore_refusals_metrics(const struct cg_oscore_refusals *refusals, struct cg_buf *to) {
    cg_coap_figure_head(to, "oscore_refused_total", "counter",
                        "Requests with a client's kid that could not be opened.");
    for (unsigned i = 0; i < CG_OSCORE_REFUSALS; i++)
        cg_buf_printf(to, "castgate_coap_oscore_refused_total{reason=\"%s\"} %llu\n", rows[i].label,
                      (unsigned long long)refusals->counts[i]);
}
