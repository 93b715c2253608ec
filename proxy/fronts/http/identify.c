/* Clients by what they show. The hard thing is which counts: a token is sent on purpose, a certificate perhaps for
 * another's sake, so the token decides where there are both. What proves nothing is refused where anonymous clients are
 * taken, too: it is a mistake that should show. */
#include "fronts/http/identify.h"

#include <stdio.h>
#include <time.h>

#include <sodium.h>

#include "base/calendar.h"
#include "base/text.h"

static int bad_token(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                          "Authorization must be: Bearer TOKEN, with the token of a known client");
}

static int expired(const struct cg_pass *pass, struct cg_problem *problem) {
    char when[CG_CALENDAR_MAX];
    cg_calendar_emit_s(when, pass->expires_s);
    return cg_problem_set(problem, CG_E_UNAUTHORIZED, "this token has expired (%s): have another one made", when);
}

/* RFC 6750 §2.1. The token's characters are not checked: only its digest is compared. */
static bool parse_bearer(struct cg_slice value, struct cg_slice *token) {
    static const size_t scheme = sizeof "Bearer" - 1;
    if (value.len <= scheme || !cg_slice_is_nocase(cg_slice_of(value.data, scheme), "Bearer")) return false;
    *token = cg_slice_of(value.data + scheme, value.len - scheme);
    if (token->data[0] != ' ') return false;
    while (token->len > 0 && token->data[0] == ' ') token->data++, token->len--;
    return token->len > 0;
}

static int identify_by_token(struct cg_request *request, const struct cg_config *config, struct cg_slice value,
                             struct cg_problem *problem) {
    struct cg_slice token;
    if (!parse_bearer(value, &token)) return bad_token(problem);
    uint8_t digest[32];
    crypto_hash_sha256(digest, token.data, token.len); /* takes no memory, so it cannot fail */
    request->client = cg_config_client_by_token(config, digest, &request->pass);
    request->proof = CG_PROOF_TOKEN;
    if (request->client == NULL) return bad_token(problem);
    return cg_pass_is_good(request->pass, (int64_t)time(NULL)) ? CG_OK : expired(request->pass, problem);
}

static int unknown_certificate(const uint8_t digest[CG_HTTP_CERTIFICATE_SHA256], struct cg_problem *problem) {
    char hex[2 * CG_HTTP_CERTIFICATE_SHA256 + 1];
    for (size_t i = 0; i < CG_HTTP_CERTIFICATE_SHA256; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return cg_problem_set(problem, CG_E_UNAUTHORIZED, "no client of the settings has \"certificate_sha256\": \"%s\"",
                          hex);
}

static int identify_by_certificate(struct cg_request *request, const struct cg_config *config,
                                   struct cg_http_call *call, struct cg_problem *problem) {
    uint8_t digest[CG_HTTP_CERTIFICATE_SHA256];
    int err = cg_http_call_certificate(call, digest, problem);
    if (err == CG_E_NOT_FOUND) return CG_OK;
    if (err < 0) return err;
    request->client = cg_config_client_by_certificate(config, digest, &request->pass);
    request->proof = CG_PROOF_CERTIFICATE;
    return request->client == NULL ? unknown_certificate(digest, problem) : CG_OK;
}

int cg_http_identify(struct cg_request *request, const struct cg_config *config, struct cg_http_call *call,
                     struct cg_problem *problem) {
    struct cg_slice value;
    int err = cg_http_field(cg_http_call_message(call), "Authorization", &value);
    if (err == CG_E_NOT_FOUND) return identify_by_certificate(request, config, call, problem);
    if (err < 0) return bad_token(problem);
    return identify_by_token(request, config, value, problem);
}
