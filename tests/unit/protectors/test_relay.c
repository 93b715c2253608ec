/* The relay in a whole gateway core: what the client and the members protected passes as it is; a checker lets only
 * members' requests out, each once. R3, R18, R56, R57. */
#include "fake_place.h"
#include "fake_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/relay.h"

/* The client is member 0 of the group; the gateway is nobody. */
struct station {
    struct world world;
    struct fake_crypto crypto;
    struct fake_place place;
    struct cg_windows windows;
    struct cg_relay_services services;
    struct cg_relay *relay;
    struct fake_group keys;
    struct cg_oscore_context *client;
    uint64_t number;
    struct call call;
};

static struct station *new_station(bool checks, unsigned members) {
    struct station *station = calloc(1, sizeof *station);
    assert_non_null(station);
    fake_crypto_init(&station->crypto);
    fake_group_usual(&station->keys, 0x40);
    station->client = fake_context(&station->keys, 0);
    fake_place_init(&station->place);
    cg_windows_init(&station->windows);
    cg_windows_open(&station->windows, &station->place.place, &station->crypto.crypto);
    station->services.windows = &station->windows;
    station->services.crypto = &station->crypto.crypto;
    station->relay = cg_relay_new(&station->services);
    assert_non_null(station->relay);
    if (checks) cg_relay_set_checker(station->relay, fake_checker(&station->keys));
    world_init(&station->world);
    station->world.config->group.nstart = 100; /* nobody answers */
    struct cg_mapping *mapping = world_mapping(&station->world, "lamps");
    mapping->security = CG_SECURITY_RELAY;
    mapping->protector = cg_relay_protector(station->relay);
    mapping->forward = true;
    if (members > 0) world_add_members(&station->world, mapping, members);
    world_start(&station->world);
    station->services.engine = cg_gateway_engine(station->world.gateway);
    return station;
}

static int setup(void **state) {
    *state = new_station(false, 0);
    return 0;
}

static int setup_checking(void **state) {
    *state = new_station(true, 0);
    return 0;
}

static int setup_checking_with_members(void **state) {
    *state = new_station(true, 2);
    return 0;
}

static int teardown(void **state) {
    struct station *station = *state;
    call_fini(&station->call);
    fake_crypto_end_all(&station->crypto);
    world_fini(&station->world);
    cg_relay_free(station->relay);
    cg_windows_fini(&station->windows);
    cg_oscore_context_unref(station->client);
    free(station);
    return 0;
}

struct sealed {
    uint8_t data[FAKE_ROOM];
    struct cg_msg msg;
    struct cg_oscore_binding binding;
};

static void seal_as(struct sealed *to, struct cg_oscore_context *context, struct cg_oscore_peer *peer,
                    uint64_t number) {
    struct cg_msg plain = fake_request("x", "on");
    int len = cg_oscore_seal_request(context, peer, number, &plain, to->data, sizeof to->data, &to->binding);
    to->msg = fake_parse(to->data, len);
}

static void seal(struct station *station, struct sealed *to) { seal_as(to, station->client, NULL, station->number++); }

/* As a front hands it on: the OSCORE option and the ciphertext. */
static void post_as(struct station *station, struct call *call, const struct cg_msg *sealed) {
    static struct cg_opt option;
    struct cg_request *request = world_new(&station->world, call, "/lamps");
    assert_non_null(request);
    request->method = CG_POST;
    option.number = CG_OPT_OSCORE;
    assert_true(cg_msg_find(sealed, CG_OPT_OSCORE, &option.value));
    request->options = (struct cg_opts){.list = &option, .count = 1};
    request->payload = sealed->payload;
    world_go(&station->world, call);
}

static void post(struct station *station, const struct cg_msg *sealed) {
    call_fini(&station->call);
    post_as(station, &station->call, sealed);
}

static void settle(struct station *station) {
    fake_crypto_end_all(&station->crypto);
    world_run(&station->world);
}

static void assert_relayed(struct station *station, const struct cg_msg *sealed, size_t count) {
    struct cg_slice before, after;
    assert_int_equal(station->world.sent_count, count);
    const struct cg_msg *out = &station->world.sent[count - 1].msg;
    assert_int_equal(out->code, CG_POST);
    assert_int_equal(out->type, CG_NON);
    assert_true(cg_msg_find(sealed, CG_OPT_OSCORE, &before));
    assert_true(cg_msg_find(out, CG_OPT_OSCORE, &after));
    assert_true(cg_slice_equal(before, after));
    assert_true(cg_slice_equal(sealed->payload, out->payload));
    assert_int_equal(out->options.len, 1 + before.len + (before.len > 12)); /* nothing else: no path, no query */
}

static void assert_refused(struct station *station, const char *detail, size_t sent) {
    assert_int_equal(station->call.problems, 1);
    assert_int_equal(station->call.problem.err, CG_E_UNAUTHORIZED);
    if (strstr(station->call.problem.detail, detail) == NULL) fail_msg("%s", station->call.problem.detail);
    assert_int_equal(station->world.sent_count, sent);
}

static const char not_a_member[] = "is not that of a member";
static const char relayed_before[] = "was relayed before";

static void bytes_pass_as_they_are_both_ways_R3_R18(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    assert_relayed(station, &sealed.msg, 1);
    struct lamp lamp;
    lamp_init(&lamp, &station->keys, 2);
    struct reception reception = lamp_receive(&lamp, &station->world.sent[0]); /* the member verifies the client */
    struct answer_bytes answer = lamp_seal(&lamp, &reception, "done", (struct style){0});
    struct cg_msg sent = fake_parse(answer.data, (int)answer.len);
    world_deliver(&station->world, "127.1.0.2:5683", answer.data, answer.len);
    world_advance(&station->world, 3 * SECOND);
    assert_int_equal(station->call.replies, 1);
    assert_non_null(strstr(station->call.text, "\"verified\":\"none\""));
    assert_non_null(strstr(station->call.text, "\"kid\":\"12\""));
    struct cg_buf payload; /* what the client gets, which verifies it (R18) */
    cg_buf_init(&payload, 0);
    cg_buf_put_str(&payload, "\"body_base64\":\"");
    cg_buf_put_base64(&payload, sent.payload);
    cg_buf_put_u8(&payload, '"');
    cg_buf_put_u8(&payload, 0);
    assert_non_null(strstr(station->call.text, (const char *)payload.data));
    cg_buf_fini(&payload);
    uint8_t room[4096];
    struct cg_msg plain;
    struct cg_oscore_opened opened;
    int err =
        cg_oscore_open_response(station->client, &sent, &sealed.binding, NULL, room, sizeof room, &plain, &opened);
    assert_int_equal(err, CG_OK);
    assert_true(cg_slice_is(plain.payload, "done"));
    lamp_fini(&lamp);
}

static void what_is_not_protected_is_refused(void **state) {
    struct station *station = *state;
    world_get(&station->world, &station->call, "/lamps/x");
    assert_int_equal(station->call.problems, 1);
    assert_int_equal(station->world.sent_count, 0);
}

/* Whose options are a part of a longer list: what stands behind them is somebody else's. */
static void options_behind_the_last_do_not_count(void **state) {
    struct station *station = *state;
    struct cg_protector *protector = cg_relay_protector(station->relay);
    struct cg_opt list[] = {{.number = CG_OPT_OSCORE, .value = cg_slice_str("\x09\x01\x11")},
                            {.number = CG_OPT_OSCORE, .value = cg_slice_str("\x09\x02\x11")}};
    struct cg_sealing sealing = {.method = CG_POST, .payload = cg_slice_str("ciphertext")};
    struct cg_binding *binding;
    struct cg_problem problem;
    static const int expected[] = {CG_E_UNAUTHORIZED, CG_OK, CG_E_BAD_REQUEST};
    for (size_t count = 0; count <= 2; count++) {
        struct cg_buf out;
        cg_buf_init(&out, 0);
        sealing.options = (struct cg_opts){.list = list, .count = count};
        assert_int_equal(protector->ops->seal(protector, &sealing, 1, &out, &binding, &problem), expected[count]);
        assert_int_equal(out.len > 0, count == 1);
        cg_buf_fini(&out);
    }
}

/* An observation that its client renews on its token: each request is tied to its answers by the client alone. */
static void what_joins_another_request_is_relayed_as_it_is(void **state) {
    struct station *station = *state;
    struct cg_protector *protector = cg_relay_protector(station->relay);
    struct cg_opt list[] = {{.number = CG_OPT_OBSERVE},
                            {.number = CG_OPT_OSCORE, .value = cg_slice_str("\x09\x01\x11")}};
    struct cg_sealing sealing = {.method = CG_FETCH,
                                 .payload = cg_slice_str("ciphertext"),
                                 .options = {.list = list, .count = 2},
                                 .joins = (struct cg_binding *)station /* which it must not look at */};
    struct cg_binding *binding = NULL;
    struct cg_problem problem;
    struct cg_buf out;
    cg_buf_init(&out, 0);
    assert_int_equal(protector->ops->seal(protector, &sealing, 1, &out, &binding, &problem), CG_OK);
    assert_null(binding);
    struct cg_msg notification = fake_parse(out.data, (int)out.len);
    notification.code = CG_CODE(2, 5);
    const struct cg_opening opening = {.msg = &notification, .datagram = cg_buf_slice(&out)};
    for (int i = 0; i < 2; i++) { /* whether it is a replay only the client can tell */
        struct cg_opened opened;
        struct cg_slice observe;
        assert_int_equal(protector->ops->open(protector, &opening, 1, &opened), CG_OK);
        assert_true(cg_msg_find(&(struct cg_msg){.options = opened.options}, CG_OPT_OBSERVE, &observe));
        assert_false(opened.overtaken || opened.has_number);
    }
    cg_buf_fini(&out);
}

static void plain_answers_are_refused(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    world_answer(&station->world, 0, "127.1.0.2:5683", "trust me");
    world_advance(&station->world, 3 * SECOND);
    assert_non_null(strstr(station->call.text, "\"answered\":0,"));
    assert_non_null(strstr(station->call.text, "\"reason\":\"unprotected\",\"code\":\"2.05\",\"diagnostic\":null"));
}

/* Anybody may write anybody's kid: it displaces no answer. */
static void a_kid_proves_nothing(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    struct lamp lamp;
    lamp_init(&lamp, &station->keys, 2);
    struct reception reception = lamp_receive(&lamp, &station->world.sent[0]);
    struct answer_bytes answer = lamp_seal(&lamp, &reception, "done", (struct style){0});
    world_deliver(&station->world, "127.1.0.2:5683", answer.data, answer.len);
    answer.data[answer.len - 1] ^= 1;
    world_deliver(&station->world, "127.1.0.9:5683", answer.data, answer.len);
    world_advance(&station->world, 3 * SECOND);
    assert_non_null(strstr(station->call.text, "\"answered\":2,"));
    lamp_fini(&lamp);
}

static void a_member_passes_the_checker(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    assert_int_equal(station->world.sent_count, 0); /* not before it is verified */
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
}

static void a_stranger_does_not(void **state) {
    struct station *station = *state;
    struct fake_group keys = station->keys;
    keys.members[0].id[0] = 0x55; /* has the group's secret, but is not known */
    struct cg_oscore_context *stranger = fake_context(&keys, 0);
    struct sealed sealed;
    seal_as(&sealed, stranger, NULL, 0);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
    cg_oscore_context_unref(stranger);
}

static void an_impostor_does_not(void **state) {
    struct station *station = *state;
    struct fake_group keys = station->keys;
    keys.members[0] = keys.members[3];                      /* lamp 3's key ... */
    keys.members[0].id[0] = station->keys.members[0].id[0]; /* ... under the client's kid */
    keys.members[3].id[0] = 0x66;
    struct cg_oscore_context *impostor = fake_context(&keys, 0);
    struct sealed sealed;
    seal_as(&sealed, impostor, NULL, 0);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
    seal(station, &sealed); /* and the client's own number 0 is still good */
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
    cg_oscore_context_unref(impostor);
}

static void another_group_does_not(void **state) {
    struct station *station = *state;
    struct fake_group keys;
    fake_group_usual(&keys, 0x90);
    memcpy(keys.members, station->keys.members, sizeof keys.members);
    struct cg_oscore_context *elsewhere = fake_context(&keys, 0);
    struct sealed sealed;
    seal_as(&sealed, elsewhere, NULL, 0);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
    cg_oscore_context_unref(elsewhere);
}

static void a_flipped_bit_does_not(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    size_t len = (size_t)(sealed.msg.payload.data + sealed.msg.payload.len - sealed.data);
    for (size_t at = len - sealed.msg.payload.len; at < len; at++) {
        sealed.data[at] ^= 4;
        post(station, &sealed.msg);
        settle(station);
        assert_refused(station, not_a_member, 0);
        sealed.data[at] ^= 4;
    }
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
}

static void pairwise_mode_cannot_be_checked(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal_as(&sealed, station->client, fake_peer(station->client, &station->keys, 2), station->number++);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
}

/* To one member by its address, through the forward proxy. */
static void post_to_first(struct station *station, const struct cg_msg *sealed) {
    static struct cg_opt option;
    call_fini(&station->call);
    struct cg_request *request = world_new(&station->world, &station->call, "coap://127.1.0.1/");
    assert_non_null(request);
    request->forward = true;
    request->method = CG_POST;
    option.number = CG_OPT_OSCORE;
    assert_true(cg_msg_find(sealed, CG_OPT_OSCORE, &option.value));
    request->options = (struct cg_opts){.list = &option, .count = 1};
    request->payload = sealed->payload;
    world_go(&station->world, &station->call);
}

static void assert_sent_to_first(const struct station *station, const struct cg_msg *sealed, size_t count) {
    assert_int_equal(station->world.sent_count, count);
    const struct emission *emission = &station->world.sent[count - 1];
    struct cg_addr first = address("127.1.0.1:5683");
    assert_true(cg_addr_equal(&emission->route.to, &first));
    assert_int_equal(emission->msg.type, CG_CON);
    assert_true(cg_slice_equal(emission->msg.payload, sealed->payload));
}

/* RFC 10021 §9: a member is asked in pairwise mode, which only that one can check; a group never is. */
static void one_member_may_be_asked_in_pairwise_mode(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal_as(&sealed, station->client, fake_peer(station->client, &station->keys, 2), station->number++);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
    post_to_first(station, &sealed.msg);
    settle(station);
    assert_sent_to_first(station, &sealed.msg, 1);
}

static void in_group_mode_it_is_checked_all_the_same(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    sealed.data[(size_t)(sealed.msg.payload.data - sealed.data)] ^= 4;
    post_to_first(station, &sealed.msg);
    settle(station);
    assert_refused(station, not_a_member, 0);
    sealed.data[(size_t)(sealed.msg.payload.data - sealed.data)] ^= 4;
    post_to_first(station, &sealed.msg);
    settle(station);
    assert_sent_to_first(station, &sealed.msg, 1);
}

static void nothing_is_relayed_twice_R57(void **state) {
    struct station *station = *state;
    struct sealed first, second;
    struct call twin;
    seal(station, &first);
    seal(station, &second);
    post_as(station, &twin, &first.msg);
    post(station, &first.msg); /* while the first is being checked */
    settle(station);
    assert_int_equal(twin.problems, 0);
    assert_refused(station, relayed_before, 1);
    assert_relayed(station, &first.msg, 1);
    post(station, &first.msg);
    settle(station);
    assert_refused(station, relayed_before, 1);
    post(station, &second.msg);
    settle(station);
    assert_relayed(station, &second.msg, 2);
}

static void a_changed_file_keeps_replay_windows(void **state) {
    struct station *station = *state;
    struct sealed old, fresh;
    struct cg_oscore_context *gone = fake_context(&station->keys, 3);
    seal(station, &old);
    post(station, &old.msg);
    settle(station);
    seal_as(&fresh, gone, NULL, 0);
    post(station, &fresh.msg);
    settle(station);
    assert_relayed(station, &fresh.msg, 2);
    struct fake_group keys = station->keys; /* member 3 has changed: another key */
    fake_member_make(&keys.members[3], CG_CURVE_ED25519, 0x13, 0xee);
    cg_relay_set_checker(station->relay, fake_checker(&keys));
    post(station, &old.msg);
    settle(station);
    assert_refused(station, relayed_before, 2);
    seal(station, &fresh);
    post(station, &fresh.msg);
    settle(station);
    assert_relayed(station, &fresh.msg, 3);
    seal_as(&fresh, gone, NULL, 9);
    post(station, &fresh.msg); /* its old key counts no more */
    settle(station);
    assert_refused(station, not_a_member, 3);
    cg_oscore_context_unref(gone);
    gone = fake_context(&keys, 3);
    seal_as(&fresh, gone, NULL, 0); /* and the new one begins at 0 */
    post(station, &fresh.msg);
    settle(station);
    assert_relayed(station, &fresh.msg, 4);
    cg_oscore_context_unref(gone);
}

static void a_rekeyed_file_begins_anew(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    settle(station);
    struct fake_group keys = station->keys;
    fake_group_rekey(&keys);
    cg_relay_set_checker(station->relay, fake_checker(&keys));
    struct cg_oscore_context *client = fake_context(&keys, 0);
    seal_as(&sealed, client, NULL, 0); /* numbers begin at 0 under new keys */
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 2);
    cg_oscore_context_unref(client);
}

static void who_is_removed_while_being_checked_is_refused(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    fake_crypto_run(&station->crypto, 0);
    struct fake_group keys = station->keys;
    keys.members[0].id[0] = 0x20;
    cg_relay_set_checker(station->relay, fake_checker(&keys));
    settle(station);
    assert_refused(station, not_a_member, 0);
}

static void a_change_while_checking_loses_nothing(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    fake_crypto_run(&station->crypto, 0);
    cg_relay_set_checker(station->relay, fake_checker(&station->keys));
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, relayed_before, 1);
}

/* As a client that has shown who it is. */
static void post_known(struct station *station, const struct cg_client *client, const struct cg_msg *sealed) {
    static struct cg_opt option;
    world_advance(&station->world, 3 * SECOND); /* the exchange before has ended */
    call_fini(&station->call);
    struct cg_request *request = world_new(&station->world, &station->call, "/lamps");
    assert_non_null(request);
    request->method = CG_POST;
    request->client = client;
    option.number = CG_OPT_OSCORE;
    assert_true(cg_msg_find(sealed, CG_OPT_OSCORE, &option.value));
    request->options = (struct cg_opts){.list = &option, .count = 1};
    request->payload = sealed->payload;
    world_go(&station->world, &station->call);
    settle(station);
}

static const struct cg_client ann = {.name = "ann"}, bob = {.name = "bob"};

static void know_clients(struct station *station) {
    struct cg_mapping *mapping = world_mapping(&station->world, "lamps");
    static struct cg_grant grants[2] = {{.client = &ann, .methods = CG_METHODS_RELAYED},
                                        {.client = &bob, .methods = CG_METHODS_RELAYED}};
    mapping->grants = grants;
    mapping->grant_count = 2;
}

/* What was only looked at may be said again: it has not been said. */
static void what_did_not_go_out_was_not_relayed(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    station->world.emit_error = CG_E_EMIT;
    post(station, &sealed.msg);
    settle(station);
    assert_int_equal(station->call.problem.err, CG_E_EMIT);
    station->world.emit_error = CG_OK;
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, relayed_before, 1);
}

/* A 429 for want of the group's turn says that the same request may come again. */
static void what_waited_in_vain_was_not_relayed(void **state) {
    struct station *station = *state;
    struct sealed first, second;
    struct call holder = {0};
    station->world.config->group.nstart = 1;
    seal(station, &first);
    seal(station, &second);
    post_as(station, &holder, &first.msg);
    settle(station);
    world_mapping(&station->world, "lamps")->timeout_us = SECOND / 100;
    post(station, &second.msg);
    settle(station);
    world_advance(&station->world, 2 * SECOND + SECOND / 2);
    assert_int_equal(station->call.problem.err, CG_E_RATE);
    assert_int_equal(station->world.sent_count, 1);
    world_advance(&station->world, 600 * SECOND);
    post(station, &second.msg);
    settle(station);
    assert_relayed(station, &second.msg, 2);
    call_fini(&holder);
}

/* One request to two groups is the same bytes twice, in one exchange. */
static void every_target_gets_it(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    struct cg_opt option = {.number = CG_OPT_OSCORE};
    struct cg_mapping *pair = world_mapping(&station->world, "pair");
    pair->security = CG_SECURITY_RELAY;
    pair->protector = cg_relay_protector(station->relay);
    pair->has_timeout = true;
    pair->timeout_us = 2 * SECOND;
    seal(station, &sealed);
    assert_true(cg_msg_find(&sealed.msg, CG_OPT_OSCORE, &option.value));
    for (int i = 0; i < 2; i++) { /* once in all */
        call_fini(&station->call);
        struct cg_request *request = world_new(&station->world, &station->call, "/pair");
        request->method = CG_POST;
        request->options = (struct cg_opts){.list = &option, .count = 1};
        request->payload = sealed.msg.payload;
        world_go(&station->world, &station->call);
        settle(station);
        assert_int_equal(station->world.sent_count, 2);
    }
    assert_refused(station, relayed_before, 2);
    assert_false(cg_addr_equal(&station->world.sent[0].route.to, &station->world.sent[1].route.to));
}

/* Silent members are asked with the same bytes. */
static void repair_repeats_it(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    static struct cg_member member = {.name = "lamp-1"};
    struct cg_mapping *mapping = world_mapping(&station->world, "lamps");
    member.addr = address("127.1.0.1:5683");
    mapping->members = &member;
    mapping->member_count = 1;
    mapping->repair_unicast = true;
    mapping->leisure = 0.5;
    assert_int_equal(cg_config_index(station->world.config), CG_OK);
    seal(station, &sealed);
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
    world_advance(&station->world, SECOND + SECOND / 2);
    settle(station);
    assert_int_equal(station->world.sent_count, 2);
    const struct cg_msg *asked = &station->world.sent[1].msg;
    assert_int_equal(asked->type, CG_CON);
    assert_true(cg_slice_equal(asked->payload, sealed.msg.payload));
}

/* RFC 10021 §7: an application repeats what it protected once. */
static void a_client_may_repeat_itself(void **state) {
    struct station *station = *state;
    struct sealed sealed, other;
    know_clients(station);
    seal(station, &sealed);
    for (size_t i = 1; i <= 3; i++) {
        post_known(station, &ann, &sealed.msg);
        assert_relayed(station, &sealed.msg, i);
    }
    post_known(station, &bob, &sealed.msg); /* who has heard it */
    assert_refused(station, relayed_before, 3);
    struct cg_oscore_context *twin = fake_context(&station->keys, 0);
    struct cg_msg plain = fake_request("x", "off");
    int len = cg_oscore_seal_request(twin, NULL, 0, &plain, other.data, sizeof other.data, &other.binding);
    other.msg = fake_parse(other.data, len);
    post_known(station, &ann, &other.msg); /* the same number for something else */
    assert_refused(station, relayed_before, 3);
    cg_oscore_context_unref(twin);
    for (int i = 0; i < 70; i++) seal(station, &other);
    post_known(station, &ann, &other.msg);
    assert_relayed(station, &other.msg, 4);
    post_known(station, &ann, &sealed.msg); /* also behind the window */
    assert_relayed(station, &sealed.msg, 5);
    world_advance(&station->world, 248 * SECOND); /* past EXCHANGE_LIFETIME */
    post_known(station, &ann, &sealed.msg);
    assert_refused(station, relayed_before, 5);
}

/* Two mappings may name one group's checker by two files. */
static void all_relays_share_one_window(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    struct cg_relay *other = cg_relay_new(&station->services);
    assert_non_null(other);
    cg_relay_set_checker(other, fake_checker(&station->keys));
    seal(station, &sealed);
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
    world_mapping(&station->world, "lamps")->protector = cg_relay_protector(other);
    world_advance(&station->world, 3 * SECOND);
    post(station, &sealed.msg);
    settle(station);
    assert_refused(station, relayed_before, 1);
    world_mapping(&station->world, "lamps")->protector = cg_relay_protector(station->relay);
    cg_relay_free(other);
}

/* The process ends, and another begins with the same state. */
static void start_again(struct station *station) {
    world_advance(&station->world, 3 * SECOND);
    cg_windows_fini(&station->windows);
    cg_windows_init(&station->windows);
    cg_windows_open(&station->windows, &station->place.place, &station->crypto.crypto);
}

static void nothing_is_relayed_twice_over_a_restart_R57(void **state) {
    struct station *station = *state;
    struct sealed first, second, third;
    know_clients(station);
    seal(station, &first);
    seal(station, &second);
    seal(station, &third);
    post_known(station, &ann, &first.msg);
    post_known(station, &ann, &third.msg);
    assert_int_equal(station->world.sent_count, 2);
    start_again(station);
    post_known(station, &ann, &first.msg); /* who had it and when, nobody knows any more */
    assert_refused(station, relayed_before, 2);
    post_known(station, &ann, &third.msg);
    assert_refused(station, relayed_before, 2);
    post_known(station, &ann, &second.msg); /* what was not sent is still good */
    assert_relayed(station, &second.msg, 3);
    seal(station, &first);
    post_known(station, &ann, &first.msg);
    assert_relayed(station, &first.msg, 4);
    start_again(station);
    post_known(station, &ann, &second.msg);
    assert_refused(station, relayed_before, 4);
}

/* Nothing goes out that could come twice after a restart. */
static void what_cannot_be_kept_is_not_relayed(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    station->place.fails = true;
    seal(station, &sealed);
    post(station, &sealed.msg);
    settle(station);
    assert_int_equal(station->call.problem.err, CG_E_STORE);
    assert_int_equal(station->call.problem.retry_after, 1);
    assert_string_equal(station->call.problem.detail, "the fake place fails");
    assert_int_equal(station->world.sent_count, 0);
    station->place.fails = false;
    post(station, &sealed.msg);
    settle(station);
    assert_relayed(station, &sealed.msg, 1);
}

/* The group's turn comes after the file has changed: who is no member any more does not get it. */
static void who_is_removed_while_waiting_is_refused(void **state) {
    struct station *station = *state;
    struct sealed first, second;
    struct call holder = {0};
    station->world.config->group.nstart = 1;
    seal(station, &first);
    seal(station, &second);
    post_as(station, &holder, &first.msg);
    settle(station);
    post(station, &second.msg);
    settle(station);
    struct fake_group keys = station->keys;
    keys.members[0].id[0] = 0x20;
    cg_relay_set_checker(station->relay, fake_checker(&keys));
    world_advance(&station->world, 3 * SECOND); /* the first gives its turn up */
    settle(station);
    assert_refused(station, not_a_member, 1);
    call_fini(&holder);
}

static void the_client_leaves_while_being_checked(void **state) {
    struct station *station = *state;
    struct sealed sealed;
    seal(station, &sealed);
    post(station, &sealed.msg);
    cg_gateway_abandon(station->world.gateway, station->call.ticket);
    world_run(&station->world);
    settle(station);
    assert_int_equal(station->world.sent_count, 0);
}

int main(void) {
    cg_log_set_level(CG_LOG_ERROR);
#define PASSING(test)      cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CHECKING(test)     cmocka_unit_test_setup_teardown(test, setup_checking, teardown)
#define WITH_MEMBERS(test) cmocka_unit_test_setup_teardown(test, setup_checking_with_members, teardown)
    const struct CMUnitTest tests[] = {
        PASSING(bytes_pass_as_they_are_both_ways_R3_R18),
        PASSING(what_is_not_protected_is_refused),
        PASSING(options_behind_the_last_do_not_count),
        PASSING(what_joins_another_request_is_relayed_as_it_is),
        PASSING(plain_answers_are_refused),
        PASSING(a_kid_proves_nothing),
        CHECKING(a_member_passes_the_checker),
        CHECKING(a_stranger_does_not),
        CHECKING(an_impostor_does_not),
        CHECKING(another_group_does_not),
        CHECKING(a_flipped_bit_does_not),
        CHECKING(pairwise_mode_cannot_be_checked),
        WITH_MEMBERS(one_member_may_be_asked_in_pairwise_mode),
        WITH_MEMBERS(in_group_mode_it_is_checked_all_the_same),
        CHECKING(nothing_is_relayed_twice_R57),
        CHECKING(a_changed_file_keeps_replay_windows),
        CHECKING(a_rekeyed_file_begins_anew),
        CHECKING(who_is_removed_while_being_checked_is_refused),
        CHECKING(a_change_while_checking_loses_nothing),
        CHECKING(what_did_not_go_out_was_not_relayed),
        CHECKING(what_waited_in_vain_was_not_relayed),
        CHECKING(every_target_gets_it),
        CHECKING(repair_repeats_it),
        CHECKING(a_client_may_repeat_itself),
        CHECKING(all_relays_share_one_window),
        CHECKING(nothing_is_relayed_twice_over_a_restart_R57),
        CHECKING(what_cannot_be_kept_is_not_relayed),
        CHECKING(who_is_removed_while_waiting_is_refused),
        CHECKING(the_client_leaves_while_being_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
