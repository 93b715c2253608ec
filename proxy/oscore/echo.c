/* Why: after a loss, "have I seen this?" has no answer, but "can you repeat what I just made up?" has. Hard: an
 * attacker may replay recorded requests all day; they must neither exhaust memory nor replace the value that an honest
 * client is about to echo. */
#include "oscore/state.h"
#include "oscore/echo.h"
#include "base/check.h"

#include <sodium.h>

void cg_oscore_challenge(struct cg_oscore_peer *peer, uint8_t storage[CG_OSCORE_CHALLENGE_LEN], struct cg_msg *plain) {
    if (!peer->has_echo) randombytes_buf(peer->echo, sizeof(peer->echo));
    peer->has_echo = true;
    struct cg_msg_writer w = {.data = storage, .cap = CG_OSCORE_CHALLENGE_LEN};
    cg_msg_put_opt(&w, CG_OPT_ECHO, cg_slice_of(peer->echo, sizeof(peer->echo)));
    CG_CHECK(!w.failed);
    plain->code = CG_CODE(4, 1);
    plain->options = cg_slice_of(storage, w.len);
    plain->payload = CG_SLICE_NONE;
}

bool cg_oscore_is_challenge(const struct cg_msg *plain, struct cg_slice *echo) {
    return plain->code == CG_CODE(4, 1) && cg_msg_find(plain, CG_OPT_ECHO, echo) && echo->len >= 1 && echo->len <= 40;
}

bool cg_oscore_echo_consume(struct cg_oscore_peer *peer, const struct cg_msg *inner) {
    struct cg_slice echo;
    if (!peer->has_echo || !cg_msg_find(inner, CG_OPT_ECHO, &echo) || echo.len != sizeof(peer->echo) ||
        sodium_memcmp(echo.data, peer->echo, sizeof(peer->echo)) != 0)
        return false;
    peer->has_echo = false;
    sodium_memzero(peer->echo, sizeof(peer->echo));
    return true;
}
