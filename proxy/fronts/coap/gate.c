/* The address proof at the door. The hard thing is to do nothing for whoever has not shown its address that costs more
 * than what it sent: no row, no exchange, no line in the log; and to look at what it wants only when it has. */
#include "fronts/coap/gate.h"

#include "base/check.h"

static struct cg_coap_echo_path path_to(const struct cg_coap_peer *peer) {
    return (struct cg_coap_echo_path){.peer = *cg_coap_peer_addr(peer), .local = *cg_coap_peer_local(peer)};
}

bool cg_coap_gate_lets_in(struct cg_coap_gate *gate, struct cg_coap_peer *peer, const struct cg_coap_message *message,
                          uint64_t now_us) {
    const struct cg_msg msg = {.options = message->options};
    const struct cg_coap_echo_path path = path_to(peer);
    struct cg_slice value;
    if (cg_coap_peer_proof(peer) == CG_COAP_PROVEN) return true;
    if (!cg_msg_find(&msg, CG_OPT_ECHO, &value)) return false;
    if (!cg_coap_echo_is_good(&gate->echo, &path, value, now_us)) return false;
    cg_coap_peer_prove(peer);
    return true;
}

/* The option alone. Returns its length. */
static size_t put_echo(uint8_t *bytes, size_t cap, struct cg_slice value) {
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, bytes, cap, 0);
    cg_msg_put_opt(&writer, CG_OPT_ECHO, value);
    int size = cg_msg_end(&writer);
    CG_CHECK(size > 1);
    return (size_t)size - 1;
}

void cg_coap_gate_challenge(struct cg_coap_gate *gate, struct cg_coap_peer *peer, const struct cg_coap_request *request,
                            uint64_t now_us) {
    const struct cg_coap_echo_path path = path_to(peer);
    const struct cg_slice token = request->message.token;
    uint8_t value[CG_COAP_ECHO_MAX], options[1 + 2 + CG_COAP_ECHO_MAX]; /* behind a code that is not sent */
    size_t len = cg_coap_echo_make(&gate->echo, &path, request->size, token.len, now_us, value);
    if (len == 0) {
        gate->unchallenged++;
        return;
    }
    size_t options_len = put_echo(options, sizeof options, cg_slice_of(value, len));
    const struct cg_coap_message response = {.code = cg_err_info(CG_E_UNAUTHORIZED)->coap_code,
                                             .token = token,
                                             .options = cg_slice_of(options + 1, options_len)};
    cg_coap_peer_answer(peer, &response);
    gate->challenged++;
}
