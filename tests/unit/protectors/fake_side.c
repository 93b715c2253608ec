/* The hard thing: the gateway's side uses views into the keys, the lamps copies, so that either may be rekeyed alone.
 */
#include "fake_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static struct cg_sender_id sender_of(const struct fake_group *keys) {
    struct cg_sender_id id;
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, keys->secret, sizeof keys->secret);
    crypto_hash_sha256_update(&hash, keys->gid, sizeof keys->gid);
    crypto_hash_sha256_update(&hash, keys->members[0].id, keys->members[0].id_len);
    crypto_hash_sha256_final(&hash, id.bytes);
    return id;
}

/* One epoch's keys with what they point to. */
struct prepared {
    struct fake_group copy;
    struct cg_oscore_sender_params self;
    struct cg_group_peer peers[LAMPS];
    struct cg_group_keys keys;
};

static struct cg_addr address_of(const struct side *side, int member) {
    struct cg_addr address = {0};
    const char *text = side->addresses[member];
    if (text != NULL) assert_int_equal(cg_addr_parse(&address, cg_slice_str(text), 5683), CG_OK);
    return address;
}

static void prepare(const struct side *side, struct prepared *to, const struct fake_group *from, int without) {
    to->copy = *from;
    struct fake_group *copy = &to->copy;
    copy->params.master_secret = cg_slice_of(copy->secret, sizeof copy->secret);
    copy->params.master_salt = cg_slice_of(copy->salt, sizeof copy->salt);
    copy->params.id_context = cg_slice_of(copy->gid, sizeof copy->gid);
    copy->params.gm_cred = cg_slice_of(copy->gm_cred, sizeof copy->gm_cred);
    const struct fake_member *gateway = &copy->members[0];
    to->self = (struct cg_oscore_sender_params){
        .id = fake_id(gateway), .private_key = cg_slice_of(gateway->private_key, 32), .cred = fake_cred(gateway)};
    copy->params.sender = &to->self;
    to->keys = (struct cg_group_keys){.params = &copy->params, .sender = sender_of(copy), .peers = to->peers};
    memcpy(to->keys.digest, to->keys.sender.bytes, sizeof to->keys.digest);
    to->keys.digest[0] ^= (uint8_t)without;
    for (int i = 1; i <= LAMPS; i++) {
        if (i == without) continue;
        to->peers[to->keys.peer_count++] = (struct cg_group_peer){
            .kid = fake_id(&copy->members[i]), .cred = fake_cred(&copy->members[i]), .address = address_of(side, i)};
    }
}

void side_set_keys(struct side *side, struct cg_group_oscore *group, const struct fake_group *current, int without,
                   const struct fake_group *next) {
    struct prepared now, then;
    const char *why = "";
    prepare(side, &now, current, without);
    if (next != NULL) prepare(side, &then, next, without);
    int err = cg_group_oscore_stage(group, &now.keys, next == NULL ? NULL : &then.keys, &why);
    if (err != CG_OK) fail_msg("stage: %s", why);
    cg_group_oscore_commit(group);
}

static void fill_mapping(struct side *side, enum cg_finish_rule finish) {
    static const char *const names[] = {"lamp-1", "lamp-2", "lamp-3"};
    struct cg_mapping *mapping = world_mapping(&side->world, "lamps");
    world_add_members(&side->world, mapping, LAMPS);
    mapping->finish.rule = finish;
    mapping->security = CG_SECURITY_GROUP;
    mapping->protector = cg_group_oscore_protector(side->lamps);
    for (int i = 0; i < LAMPS; i++) {
        uint8_t *hash = cg_arena_alloc(&side->world.config->arena, crypto_hash_sha256_BYTES);
        struct cg_slice cred = fake_cred(&side->keys.members[i + 1]);
        crypto_hash_sha256(hash, cred.data, cred.len);
        mapping->members[i].name = names[i];
        mapping->members[i].identity = cg_slice_of(hash, crypto_hash_sha256_BYTES);
    }
}

void side_init(struct side *side, side_kind_fn kind, enum cg_finish_rule finish) {
    memset(side, 0, sizeof *side);
    fake_crypto_init(&side->crypto);
    fake_store_init(&side->store);
    cg_senders_init(&side->senders, &side->store.store);
    side->services = (struct cg_group_services){.senders = &side->senders, .crypto = &side->crypto.crypto};
    kind(&side->keys, 0x40);
    world_init(&side->world);
    side->lamps = cg_group_oscore_new(&side->services);
    assert_non_null(side->lamps);
    side_set_keys(side, side->lamps, &side->keys, 0, NULL);
    fill_mapping(side, finish);
    world_start(&side->world);
    side->services.engine = cg_gateway_engine(side->world.gateway);
}

void side_fini(struct side *side) {
    call_fini(&side->call);
    while (side->store.count > 0)
        fake_store_grant(&side->store); /* as the store's thread, which ends before the gateway */
    fake_crypto_end_all(&side->crypto);
    world_fini(&side->world);
    assert_int_equal(side->crypto.count, 0);
    cg_group_oscore_free(side->lamps);
    cg_senders_fini(&side->senders);
}

/* Members */

void lamp_init(struct lamp *lamp, const struct fake_group *keys, int number) {
    *lamp = (struct lamp){.keys = *keys, .number = number, .next = 100, .context = fake_context(keys, number)};
}

void lamp_fini(struct lamp *lamp) { cg_oscore_context_unref(lamp->context); }

static int open_request(struct lamp *lamp, const struct emission *emission, struct reception *to) {
    static uint8_t room[2 * 65536];
    struct cg_oscore_opened opened;
    int err = cg_oscore_open_request(lamp->context, &emission->msg, room, sizeof room, &to->plain, &opened);
    to->binding = opened.binding;
    to->token = emission->msg.token;
    return err;
}

struct reception lamp_receive(struct lamp *lamp, const struct emission *emission) {
    struct reception reception;
    assert_int_equal(open_request(lamp, emission, &reception), CG_OK);
    return reception;
}

int lamp_try(struct lamp *lamp, const struct emission *emission) {
    struct reception ignored;
    return open_request(lamp, emission, &ignored);
}

struct answer_bytes lamp_seal(struct lamp *lamp, const struct reception *to, const char *payload, struct style style) {
    static uint16_t mid = 0x7000;
    uint8_t bytes[1536];
    struct cg_msg_writer writer;
    struct cg_msg plain;
    struct answer_bytes answer;
    uint8_t code = style.code == 0 ? CG_CODE(2, 5) : style.code;
    cg_msg_begin(&writer, bytes, sizeof bytes, style.type == CG_CON ? CG_NON : style.type, code, mid++, to->token);
    for (size_t i = 0; style.options != NULL && i < style.options->count; i++) {
        cg_msg_put_opt(&writer, style.options->list[i].number, style.options->list[i].value);
    }
    cg_msg_put_payload(&writer, cg_slice_str(payload));
    plain = fake_parse(bytes, cg_msg_end(&writer));
    struct cg_oscore_reply reply = {.has_number = style.numbered, .with_kid_context = style.with_kid_context};
    if (style.numbered) reply.number = style.number != 0 ? style.number : lamp->next++;
    if (style.pairwise) reply.to = fake_peer(lamp->context, &lamp->keys, 0);
    struct cg_oscore_binding binding = to->binding; /* a misbehaving one answers as often as it likes */
    int len = cg_oscore_seal_response(lamp->context, &reply, &plain, answer.data, sizeof answer.data, &binding);
    assert_true(len > 0);
    answer.len = (size_t)len;
    return answer;
}

void side_deliver(struct side *side, int from, const struct answer_bytes *answer) {
    char address_text[32];
    snprintf(address_text, sizeof address_text, "127.1.0.%d:5683", from);
    world_deliver(&side->world, address_text, answer->data, answer->len);
}

/* Requests */

size_t side_get(struct side *side) {
    size_t before = side->world.sent_count;
    call_fini(&side->call);
    world_get(&side->world, &side->call, "/lamps/x");
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->call.problems, 0);
    assert_int_equal(side->world.sent_count, before + 1);
    return before;
}

void side_settle(struct side *side) {
    fake_crypto_end_all(&side->crypto);
    world_run(&side->world);
}

const char *side_reply(struct side *side) {
    if (side->call.replies == 0) world_advance(&side->world, 3 * SECOND);
    assert_int_equal(side->call.replies, 1);
    return side->call.text;
}

unsigned count_of(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
    return count;
}
