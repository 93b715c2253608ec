/* Members' requests, and what pretends to be: real keys and protector, behind a gateway without sockets. The first byte
 * chooses: 0 a datagram as it came from the network; 1 a plain request that a member seals for the gateway; 2 the same
 * with one byte of its ciphertext changed on the way. */
#include "input.h"

#include <sodium.h>

#include "base/container.h"
#include "base/log.h"
#include "exchange/gateway.h"
#include "group_oscore/binding.h"
#include "inbound/inbound.h"

enum { CRED_LEN = 44, ROOM = 1 << 16, JOBS_MAX = 64 };

static struct cg_oscore_context *member;
static struct cg_oscore_peer *gateway_peer;
static struct cg_group_oscore *group;
static struct cg_inbound *inbound;
static struct cg_crypto_job *jobs[JOBS_MAX];
static size_t job_count;
static struct cg_store_job *asked;
static uint64_t now_us = 1000000, heard, stored;

/* ---- What the protector uses ---- */

static void submit_job(struct cg_crypto *crypto, struct cg_crypto_lane *lane, struct cg_crypto_job *job) {
    (void)crypto;
    job->lane = lane;
    job->cancelled = false;
    CG_CHECK(job_count < JOBS_MAX);
    jobs[job_count++] = job;
}

static void cancel_lane(struct cg_crypto *crypto, struct cg_crypto_lane *lane) {
    (void)crypto;
    (void)lane;
}

static void submit_question(struct cg_store *store, struct cg_store_job *job) {
    (void)store;
    CG_CHECK(asked == NULL);
    asked = job;
}

static void work(void) {
    while (job_count > 0 || asked != NULL) {
        struct cg_store_job *question = asked;
        asked = NULL;
        if (question != NULL) {
            question->err = CG_OK;
            question->range = (struct cg_store_range){.first = stored, .count = question->count};
            stored += question->count;
            question->done(question);
        }
        if (job_count == 0) continue;
        struct cg_crypto_job *job = jobs[--job_count];
        job->run(job);
        job->done(job);
    }
}

static int emit_nothing(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    (void)ctx;
    (void)route;
    (void)datagram;
    (void)problem;
    return CG_OK;
}

static void make_random(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, 0x5a, len);
}

static uint64_t no_drops(void *ctx) {
    (void)ctx;
    return 0;
}

static void ignore_wake(void *ctx) { (void)ctx; }

/* ---- Setting up ---- */

static void hear(struct cg_alert_hearer *hearer, const struct cg_alert *alert) {
    (void)hearer;
    CG_CHECK(alert->path.len > 0 && alert->path.data[0] == '/' && cg_slice_is(cg_slice_str(alert->member), "lamp"));
    heard++;
}

static struct cg_oscore_params params_of(const struct cg_oscore_sender_params *sender) {
    return (struct cg_oscore_params){.group = true,
                                     .alg_aead = CG_COSE_AES_CCM_16_64_128,
                                     .alg_group_enc = CG_COSE_AES_CCM_16_64_128,
                                     .alg_signature = CG_COSE_EDDSA,
                                     .alg_agreement = CG_COSE_ECDH_SS_HKDF_256,
                                     .hkdf = CG_SHA256,
                                     .master_secret = cg_slice_str("0123456789abcdef"),
                                     .has_id_context = true,
                                     .id_context = cg_slice_str("Dal"),
                                     .gm_cred = cg_slice_str("manager"),
                                     .sender = sender};
}

static void set_up_group(uint8_t seeds[2][32], uint8_t creds[2][CRED_LEN], struct cg_config *config) {
    static struct cg_crypto crypto;
    static struct cg_store store;
    static struct cg_senders senders;
    static struct cg_group_services services;
    static const struct cg_crypto_ops crypto_ops = {.submit = submit_job, .cancel = cancel_lane};
    static const struct cg_store_ops store_ops = {.submit = submit_question};
    static struct cg_alert_group groups[1];
    static struct cg_security_keys keys = {.name = "floor1"};
    static struct cg_member members[1] = {{.name = "lamp"}};
    static uint8_t identity[32];
    const struct cg_oscore_sender_params own = {
        .id = cg_slice_str("g"), .private_key = cg_slice_of(seeds[0], 32), .cred = cg_slice_of(creds[0], CRED_LEN)};
    const struct cg_oscore_params params = params_of(&own);
    const struct cg_group_peer peer = {.kid = cg_slice_str("m"), .cred = cg_slice_of(creds[1], CRED_LEN)};
    const struct cg_group_keys current = {.params = &params, .peers = &peer, .peer_count = 1};
    crypto.ops = &crypto_ops;
    store.ops = &store_ops;
    cg_senders_init(&senders, &store);
    services = (struct cg_group_services){.senders = &senders, .crypto = &crypto};
    group = cg_group_oscore_new(&services);
    CG_CHECK(group != NULL && cg_group_oscore_stage(group, &current, NULL, NULL) == CG_OK);
    cg_group_oscore_commit(group);
    crypto_hash_sha256(identity, creds[1], CRED_LEN);
    members[0].identity = cg_slice_of(identity, sizeof identity);
    keys.members = (struct cg_members){.list = members, .count = 1};
    CG_CHECK(cg_members_index(&keys.members, &config->arena));
    groups[0] = (struct cg_alert_group){.keys = &keys, .server = cg_group_oscore_server(group)};
    config->alerts.groups = groups;
    config->alerts.group_count = 1;
}

static void set_up(void) {
    static const uint8_t ccs_head[] = {0xa1, 0x08, 0xa1, 0x01, 0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20};
    static struct cg_port port = {
        .emit = emit_nothing, .random = make_random, .kernel_drops = no_drops, .wake = ignore_wake};
    static struct cg_alert_hearer hearer = {.hear = hear};
    uint8_t seeds[2][32] = {{1}, {2}}, expanded[64], creds[2][CRED_LEN];
    struct cg_config *config = cg_config_new();
    CG_CHECK(sodium_init() >= 0 && config != NULL);
    cg_log_set_level(CG_LOG_ERROR);
    for (int i = 0; i < 2; i++) {
        memcpy(creds[i], ccs_head, sizeof ccs_head);
        crypto_sign_seed_keypair(creds[i] + sizeof ccs_head, expanded, seeds[i]);
    }
    set_up_group(seeds, creds, config);
    const struct cg_oscore_sender_params own = {
        .id = cg_slice_str("m"), .private_key = cg_slice_of(seeds[1], 32), .cred = cg_slice_of(creds[1], CRED_LEN)};
    const struct cg_oscore_params params = params_of(&own);
    CG_CHECK(cg_oscore_context_new(&member, &params, NULL) == CG_OK);
    CG_CHECK(cg_oscore_peer_add(member, cg_slice_str("g"), cg_slice_of(creds[0], CRED_LEN), CG_OSCORE_WINDOW_NEW,
                                &gateway_peer, NULL) == CG_OK);
    struct cg_gateway *gateway = cg_gateway_new(config, &port);
    inbound = gateway == NULL ? NULL : cg_inbound_new(gateway);
    CG_CHECK(inbound != NULL);
    group->services->engine = cg_gateway_engine(gateway);
    cg_inbound_add_hearer(inbound, &hearer);
}

/* ---- One ---- */

struct parcel {
    struct cg_inbound_call call;
    unsigned replies;
    size_t size;
};

static void on_reply(struct cg_inbound_call *call, const struct cg_inbound_reply *reply) {
    struct parcel *parcel = CG_CONTAINER(call, struct parcel, call);
    struct cg_slice option;
    const struct cg_msg answer = {.code = reply->code, .options = reply->options, .payload = reply->payload};
    parcel->replies++;
    if (reply->saying != CG_INBOUND_ANSWER || cg_msg_find(&answer, CG_OPT_OSCORE, &option)) return;
    CG_CHECK(!reply->is_proven && (reply->payload.len == 0 || reply->options.len + reply->payload.len < parcel->size));
}

static void take(const struct cg_msg *msg, size_t size) {
    struct parcel parcel = {.call.reply = on_reply, .size = size};
    struct cg_inbound_arrival arrival = {
        .from = {.family = CG_FAMILY_IPV4, .port = 5683, .ip = {127, 1, 0, 1}}, .msg = *msg, .size = size};
    arrival.now_us = now_us += 1000000; /* so that no budget is used up */
    cg_inbound_take(inbound, &parcel.call, &arrival);
    work();
    CG_CHECK(parcel.replies == 1);
}

/* Its window is known, as after an Echo. */
static void let_known(void) {
    struct cg_oscore_window *window = cg_oscore_peer_window(group->current->block[0].peer);
    *window = (struct cg_oscore_window){.invalid = false};
}

static void take_sealed(struct cg_slice bytes, uint16_t changed) {
    static uint64_t number;
    static uint8_t sealed[ROOM];
    struct cg_msg plain, msg;
    struct cg_oscore_binding binding;
    if (bytes.len > 4096 || cg_msg_parse(&plain, bytes) != CG_OK) return;
    plain.token.len = 0;
    int len = cg_oscore_seal_request(member, gateway_peer, number++, &plain, sealed, sizeof sealed, &binding);
    if (len < 0) return;
    uint64_t before = heard;
    CG_CHECK(cg_msg_parse(&msg, cg_slice_of(sealed, (size_t)len)) == CG_OK && msg.payload.len > 0);
    if (changed > 0) sealed[(size_t)len - 1 - changed % msg.payload.len] ^= (uint8_t)(changed >> 8 | 1);
    let_known();
    take(&msg, (size_t)len);
    CG_CHECK(heard - before <= 1);
    if (changed > 0) CG_CHECK(heard == before);
    if (heard > before) { /* once */
        take(&msg, (size_t)len);
        CG_CHECK(heard == before + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {.data = data, .len = size};
    struct cg_msg msg;
    if (inbound == NULL) set_up();
    uint8_t kind = input_u8(&input) % 3;
    uint16_t changed = kind == 2 ? (uint16_t)(input_u16(&input) | 1) : 0;
    struct cg_slice rest = input_bytes(&input, input.len);
    uint64_t before = heard;
    if (kind > 0) {
        take_sealed(rest, changed);
    } else if (cg_msg_parse(&msg, rest) == CG_OK && cg_code_is_request(msg.code)) {
        take(&msg, rest.len - msg.token.len);
        CG_CHECK(heard == before); /* a forgery otherwise */
    }
    return 0;
}
