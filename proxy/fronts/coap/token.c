/* Extended tokens by value. */
#include "fronts/coap/token.h"

#include <string.h>

bool cg_coap_token_set(struct cg_coap_token *token, struct cg_slice bytes) {
    if (bytes.len > sizeof token->bytes) return false;
    *token = (struct cg_coap_token){.len = (uint8_t)bytes.len};
    if (bytes.len > 0) memcpy(token->bytes, bytes.data, bytes.len);
    return true;
}
