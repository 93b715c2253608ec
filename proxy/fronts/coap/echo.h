/* Whether a client's address is real, without keeping anything of those that are not (RFC 9175 §2.4 item 3, RFC 10020
 * §6.3.1): a challenge that only whoever receives there can repeat. It is a keyed hash of the address, so no state is
 * needed to know it again. */
#ifndef CG_FRONTS_COAP_ECHO_H
#define CG_FRONTS_COAP_ECHO_H

#include "legs/port.h"

#define CG_COAP_ECHO_MAX 8 /* bytes of the option's value */

/* From whom, and at which of our addresses: both with their ports. */
struct cg_coap_echo_path {
    struct cg_addr peer, local;
};

#define CG_COAP_ECHO_KEY_SIZE 16

/* What is asked for under a key is known again under that key and the next one: for one to three minutes, which is
 * longer than a client goes on repeating a request (MAX_TRANSMIT_SPAN, RFC 7252 §4.8.2). Zeroed: no key yet. */
struct cg_coap_echo {
    const struct cg_port *port; /* borrowed: where keys come from */
    uint8_t key[CG_COAP_ECHO_KEY_SIZE], former[CG_COAP_ECHO_KEY_SIZE];
    bool has_key, has_former;
    uint64_t renew_us; /* monotonic */
};

/* The longest value that lets a 4.01 with nothing else be no longer than three times `received`, a request of so many
 * bytes with a token of `token_len`. Returns its length; 0: not even a short one does. */
size_t cg_coap_echo_make(struct cg_coap_echo *echo, const struct cg_coap_echo_path *path, size_t received,
                         size_t token_len, uint64_t now_us, uint8_t value[CG_COAP_ECHO_MAX]);
bool cg_coap_echo_is_good(struct cg_coap_echo *echo, const struct cg_coap_echo_path *path, struct cg_slice value,
                          uint64_t now_us);

#endif
