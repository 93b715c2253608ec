/* From the front's plain messages to protected ones. The hard thing: no response without a number that nobody else has,
 * while the front wants to answer at once; so the first one's number is there before the front hears of the request,
 * and a later one that has none goes when the front tries again. */
#include "fronts/coap/shielded.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/container.h"
#include "fronts/coap/oscore_known.h"
#include "fronts/coap/to_coap.h"

enum {
    OVERHEAD = 64, /* option, code and tag: less (RFC 8613 §6.1, §10) */
};

static struct cg_coap_shielded *of(struct cg_coap_peer *peer) {
    return CG_CONTAINER(peer, struct cg_coap_shielded, peer);
}

static const struct cg_coap_shielded *of_const(const struct cg_coap_peer *peer) {
    return CG_CONTAINER((struct cg_coap_peer *)(uintptr_t)peer, struct cg_coap_shielded, peer);
}

/* ---- Strands ---- */

static struct cg_coap_strand *find_strand(const struct cg_coap_shielded *shielded, struct cg_slice bytes) {
    struct cg_coap_token token = {.len = 0};
    struct cg_coap_strand *strand = NULL;
    if (cg_coap_token_set(&token, bytes)) HASH_FIND(hh, shielded->strands, &token, sizeof token, strand);
    return strand;
}

static struct cg_coap_strand *make_strand(struct cg_coap_shielded *shielded, struct cg_slice token) {
    struct cg_coap_strand *strand = find_strand(shielded, token);
    if (strand != NULL) return strand;
    strand = calloc(1, sizeof *strand);
    if (strand == NULL) return NULL;
    CG_CHECK(cg_coap_token_set(&strand->token, token));
    HASH_ADD(hh, shielded->strands, token, sizeof strand->token, strand);
    if (CG_HASH_HAS(hh, strand)) return strand;
    free(strand);
    return NULL;
}

static void drop_strand(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand) {
    HASH_DELETE(hh, shielded->strands, strand);
    free(strand);
}

static void drop_if_idle(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand) {
    if (strand->runs == 0 && strand != shielded->current) drop_strand(shielded, strand);
}

bool cg_coap_shielded_has(const struct cg_coap_shielded *shielded, struct cg_slice token) {
    return find_strand(shielded, token) != NULL;
}

/* ---- Protecting ---- */

/* The first response's is there already. CG_E_OVERLOAD: later. */
static int take_number(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand, uint64_t *number) {
    struct cg_sender_wait wait = {0};
    struct cg_problem problem = {0};
    *number = strand->number;
    bool has = strand->has_number;
    strand->has_number = false;
    if (has) return CG_OK;
    int err = cg_sender_take(shielded->client->sender, &wait, number, &problem);
    if (err == CG_PENDING) cg_sender_cancel(&wait);
    return err == CG_OK ? CG_OK : CG_E_OVERLOAD;
}

/* Instead of a response that may not be protected (draft-ietf-core-oscore-capable-proxies, "Protection of CoAP
 * Options"). It says whose answer that was. */
static void refuse_option(const struct cg_option_numbers *numbers, uint16_t number, const struct cg_coap_message *plain,
                          uint8_t bytes[CG_COAP_MESSAGE_MAX], struct cg_coap_message *refusal) {
    const struct cg_msg msg = {.options = plain->options};
    struct cg_problem problem = {0};
    struct cg_slice reply_from = CG_SLICE_NONE;
    (void)cg_msg_find(&msg, numbers->reply_from, &reply_from);
    cg_problem_set(&problem, CG_E_EMIT, "the answer has option %u, which is not known here: OSCORE has no class for it",
                   number);
    cg_to_coap_problem(numbers, &problem, reply_from, plain->token, bytes, CG_COAP_MESSAGE_MAX, refusal);
}

/* The message without its token, in *bytes, which is the caller's to free. */
static int seal_as_it_is(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand, uint64_t number,
                         const struct cg_coap_message *plain, uint8_t **bytes, struct cg_coap_message *sealed) {
    const struct cg_msg message = {
        .type = CG_NON, .code = plain->code, .options = plain->options, .payload = plain->payload};
    const struct cg_oscore_client *client = shielded->client;
    const struct cg_oscore_reply reply = {.to = client->peer, .has_number = true, .number = number};
    size_t cap = plain->options.len + plain->payload.len + OVERHEAD;
    struct cg_msg outer;
    *bytes = malloc(cap);
    if (*bytes == NULL) return CG_E_NO_MEMORY;
    int len = cg_oscore_seal_response(client->context, &reply, &message, *bytes, cap, &strand->binding);
    if (len < 0) return len;
    CG_CHECK(cg_msg_parse(&outer, cg_slice_of(*bytes, (size_t)len)) == CG_OK);
    *sealed = (struct cg_coap_message){
        .code = outer.code, .token = plain->token, .options = outer.options, .payload = outer.payload};
    return CG_OK;
}

static int seal(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand, uint64_t number,
                const struct cg_coap_message *plain, uint8_t **bytes, struct cg_coap_message *sealed) {
    const struct cg_option_numbers *numbers = &shielded->shield->config(shielded->shield->of)->options;
    struct cg_coap_message refusal;
    uint8_t refused[CG_COAP_MESSAGE_MAX];
    uint16_t option;
    bool is_known = !cg_oscore_find_unknown(numbers, plain->options, &option);
    if (!is_known) refuse_option(numbers, option, plain, refused, &refusal);
    return seal_as_it_is(shielded, strand, number, is_known ? plain : &refusal, bytes, sealed);
}

static int say(struct cg_coap_shielded *shielded, const struct cg_coap_message *sealed, enum cg_type type) {
    bool is_answer = shielded->current != NULL && !shielded->is_late;
    if (!is_answer) return cg_coap_peer_send(shielded->outer, sealed, type);
    cg_coap_peer_answer(shielded->outer, sealed);
    return CG_OK;
}

/* ---- What the front asks of it ---- */

static void answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    struct cg_coap_shielded *shielded = of(peer);
    struct cg_coap_strand *strand = shielded->current;
    struct cg_coap_message sealed;
    uint8_t *bytes = NULL;
    CG_CHECK(strand != NULL && strand->has_number);
    strand->has_number = false;
    int err = seal(shielded, strand, strand->number, response, &bytes, &sealed);
    if (err < 0) sealed = (struct cg_coap_message){.code = cg_err_info(err)->coap_code, .token = response->token};
    (void)say(shielded, &sealed, shielded->type); /* it is over, whether or not that goes */
    free(bytes);
}

static void expect(struct cg_coap_peer *peer) {
    if (!of(peer)->is_late) cg_coap_peer_expect(of(peer)->outer);
}

static void ignore(struct cg_coap_peer *peer) {
    if (!of(peer)->is_late) cg_coap_peer_ignore(of(peer)->outer);
}

static int send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    struct cg_coap_shielded *shielded = of(peer);
    struct cg_coap_strand *strand = find_strand(shielded, response->token);
    struct cg_coap_message sealed;
    uint8_t *bytes = NULL;
    uint64_t number;
    CG_CHECK(strand != NULL);
    if (response->options.len + response->payload.len + OVERHEAD > cg_coap_peer_room(shielded->outer))
        return CG_E_TOO_BIG; /* before a number is spent */
    int err = take_number(shielded, strand, &number);
    if (err < 0) return err;
    err = seal(shielded, strand, number, response, &bytes, &sealed);
    if (err == CG_OK) err = cg_coap_peer_send(shielded->outer, &sealed, type);
    free(bytes);
    return err;
}

static void prove(struct cg_coap_peer *peer) {
    cg_coap_peer_prove(of(peer)->outer);
    peer->path.proof = CG_COAP_PROVEN;
}

static size_t room(const struct cg_coap_peer *peer) {
    size_t outer = cg_coap_peer_room(of_const(peer)->outer);
    return outer > OVERHEAD ? outer - OVERHEAD : 0;
}

static void settle(struct cg_coap_peer *peer) {
    struct cg_coap_shielded *shielded = of(peer);
    bool holds = shielded->peer.holds > 0 || shielded->current != NULL;
    if (holds == shielded->holds_outer) return;
    shielded->holds_outer = holds;
    (holds ? cg_coap_peer_hold : cg_coap_peer_release)(shielded->outer);
}

/* What runs on a token runs on it in the layers outside, too. */
static void begun(struct cg_coap_peer *peer, struct cg_slice token) {
    struct cg_coap_shielded *shielded = of(peer);
    struct cg_coap_strand *strand = find_strand(shielded, token);
    CG_CHECK(strand != NULL);
    strand->runs++;
    if (shielded->outer->layer->begun != NULL) shielded->outer->layer->begun(shielded->outer, token);
}

static void ended(struct cg_coap_peer *peer, struct cg_slice token) {
    struct cg_coap_shielded *shielded = of(peer);
    struct cg_coap_strand *strand = find_strand(shielded, token);
    CG_CHECK(strand != NULL && strand->runs > 0);
    strand->runs--;
    if (shielded->outer->layer->ended != NULL) shielded->outer->layer->ended(shielded->outer, token);
    drop_if_idle(shielded, strand);
}

static const struct cg_coap_layer layer = {.answer = answer,
                                           .expect = expect,
                                           .ignore = ignore,
                                           .send = send,
                                           .prove = prove,
                                           .room = room,
                                           .settle = settle,
                                           .begun = begun,
                                           .ended = ended};

unsigned cg_coap_shielded_layers(const struct cg_coap_peer *peer) {
    return peer->layer == &layer ? of_const(peer)->layers : 0;
}

/* ---- Who it is ---- */

static int identify(const struct cg_coap_path *path, const struct cg_config *config, struct cg_request *request,
                    struct cg_problem *problem) {
    const struct cg_coap_shielded *shielded = CG_CONTAINER(path->transport, struct cg_coap_shielded, transport);
    const struct cg_client *client = cg_oscore_client_in(shielded->client, config);
    if (client == NULL)
        return cg_problem_set(problem, CG_E_UNAUTHORIZED, "this OSCORE context is no client's any more");
    request->client = client;
    request->proof = CG_PROOF_OSCORE;
    return CG_OK;
}

/* By the outer peer's scheme. */
static const struct cg_coap_transport_ops transports[] = {
    [CG_CRI_COAP] = {.scheme = CG_CRI_COAP, .identify = identify},
    [CG_CRI_COAPS] = {.scheme = CG_CRI_COAPS, .identify = identify},
    [CG_CRI_COAP_TCP] = {.scheme = CG_CRI_COAP_TCP, .identify = identify},
    [CG_CRI_COAPS_TCP] = {.scheme = CG_CRI_COAPS_TCP, .identify = identify},
};

/* ---- Requests ---- */

static void take_up(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand,
                    const struct cg_coap_opened *opened) {
    strand->binding = opened->binding;
    strand->number = opened->number;
    strand->has_number = true;
    shielded->current = strand;
    shielded->is_late = opened->is_late;
    shielded->type = opened->request.type;
    shielded->peer.path.proof = cg_coap_peer_proof(shielded->outer);
    settle(&shielded->peer);
}

static void put_down(struct cg_coap_shielded *shielded, struct cg_coap_strand *strand) {
    shielded->current = NULL;
    shielded->is_late = false;
    drop_if_idle(shielded, strand);
}

int cg_coap_shielded_tell(struct cg_coap_shielded *shielded, const struct cg_coap_peer_ops *ops, void *ctx,
                          const struct cg_coap_opened *opened) {
    struct cg_coap_strand *strand = make_strand(shielded, opened->request.message.token);
    if (strand == NULL) return CG_E_NO_MEMORY;
    take_up(shielded, strand, opened);
    ops->request(ctx, &shielded->peer, &opened->request);
    put_down(shielded, strand);
    settle(&shielded->peer);
    return CG_OK;
}

void cg_coap_shielded_answer(struct cg_coap_shielded *shielded, const struct cg_coap_opened *opened,
                             const struct cg_coap_message *response) {
    struct cg_coap_strand strand = {.binding = opened->binding, .runs = 1}; /* in no table */
    take_up(shielded, &strand, opened);
    answer(&shielded->peer, response);
    put_down(shielded, &strand);
    settle(&shielded->peer);
}

/* ---- Life ---- */

struct cg_coap_shielded *cg_coap_shielded_new(const struct cg_coap_shield_options *shield, struct cg_coap_peer *outer,
                                              struct cg_oscore_client *client) {
    struct cg_coap_shielded *shielded = calloc(1, sizeof *shielded);
    if (shielded == NULL) return NULL;
    shielded->shield = shield;
    shielded->outer = outer;
    shielded->layers = cg_coap_shielded_layers(outer) + 1;
    shielded->client = cg_oscore_client_ref(client);
    shielded->transport = (struct cg_coap_transport){.ops = &transports[cg_coap_peer_scheme(outer)],
                                                     .listen = cg_coap_peer_listen(outer)};
    shielded->peer = (struct cg_coap_peer){.layer = &layer,
                                           .path = {.transport = &shielded->transport,
                                                    .from = *cg_coap_peer_addr(outer),
                                                    .to = *cg_coap_peer_local(outer)}};
    return shielded;
}

void cg_coap_shielded_free(struct cg_coap_shielded *shielded) {
    struct cg_coap_strand *strand, *next;
    CG_CHECK(shielded->waiting == 0 && shielded->current == NULL);
    HASH_ITER(hh, shielded->strands, strand, next) drop_strand(shielded, strand);
    cg_oscore_client_unref(shielded->client);
    free(shielded);
}
