/* Confirmable messages. The hard thing: a message's Message ID is taken when it goes, not when it is queued, since a
 * client remembers it from then on. */
#include "fronts/coap/confirm.h"

#include <stdlib.h>

#include "base/check.h"
#include "wire/transmission.h"

int cg_coap_confirm_put(struct cg_coap_confirm *confirm, struct cg_slice message, struct cg_slice token) {
    if (confirm->count >= CG_COAP_CONFIRM_MAX) return CG_E_OVERLOAD;
    struct cg_coap_confirmable *last = malloc(sizeof *last + message.len);
    if (last == NULL) return CG_E_NO_MEMORY;
    *last = (struct cg_coap_confirmable){.token_len = (uint8_t)token.len, .len = (uint32_t)message.len};
    if (token.len > 0) last->token_at = (uint8_t)(token.data - message.data);
    memcpy(last->bytes, message.data, message.len);
    if (confirm->first == NULL) {
        confirm->first = last;
    } else {
        confirm->last->next = last;
    }
    confirm->last = last;
    confirm->count++;
    return CG_OK;
}

/* ACK_TIMEOUT times 1 to ACK_RANDOM_FACTOR, which is 1.5. */
static uint64_t first_timeout_us(uint32_t random) {
    return CG_ACK_TIMEOUT_US + (CG_ACK_TIMEOUT_US / 2 * (uint64_t)random >> 32);
}

uint64_t cg_coap_confirm_launch(struct cg_coap_confirm *confirm, uint16_t mid, uint32_t random, uint64_t now_us) {
    struct cg_coap_confirmable *first = confirm->first;
    CG_CHECK(first != NULL && first->timeout_us == 0);
    first->mid = mid;
    first->bytes[2] = (uint8_t)(mid >> 8);
    first->bytes[3] = (uint8_t)mid;
    first->timeout_us = first_timeout_us(random);
    return now_us + first->timeout_us;
}

bool cg_coap_confirm_again(struct cg_coap_confirm *confirm, uint64_t now_us, uint64_t *again_us) {
    struct cg_coap_confirmable *first = confirm->first;
    CG_CHECK(first != NULL && first->timeout_us != 0);
    if (first->tries == CG_MAX_RETRANSMIT) return false;
    first->tries++;
    first->timeout_us *= 2;
    *again_us = now_us + first->timeout_us;
    return true;
}

bool cg_coap_confirm_is(const struct cg_coap_confirm *confirm, uint16_t mid) {
    return confirm->first != NULL && confirm->first->timeout_us != 0 && confirm->first->mid == mid;
}

struct cg_coap_confirmable *cg_coap_confirm_pop(struct cg_coap_confirm *confirm) {
    struct cg_coap_confirmable *first = confirm->first;
    confirm->first = first->next;
    if (confirm->first == NULL) confirm->last = NULL;
    confirm->count--;
    return first;
}

void cg_coap_confirm_drop(struct cg_coap_confirm *confirm, struct cg_slice token) {
    struct cg_coap_confirmable **at = &confirm->first, *kept = NULL;
    while (*at != NULL) {
        struct cg_coap_confirmable *message = *at;
        if (message->timeout_us != 0 || !cg_slice_equal(cg_coap_confirmable_token(message), token)) {
            kept = message;
            at = &message->next;
            continue;
        }
        *at = message->next;
        confirm->count--;
        free(message);
    }
    confirm->last = kept;
}

void cg_coap_confirm_fini(struct cg_coap_confirm *confirm) {
    while (confirm->first != NULL) free(cg_coap_confirm_pop(confirm));
}
