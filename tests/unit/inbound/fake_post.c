/* The hard thing: snapshots are the gateway's, so what the settings would have read is put into one by hand. */
#include "fake_post.h"

#include "base/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear(struct cg_alert_hearer *hearer, const struct cg_alert *alert) {
    struct post *post = CG_CONTAINER(hearer, struct post, hearer);
    assert_true(post->heard_count < POST_HEARD);
    struct heard *heard = &post->heard[post->heard_count++];
    *heard = (struct heard){
        .method = alert->method, .number = alert->number, .has_format = alert->has_format, .format = alert->format};
    snprintf(heard->member, sizeof heard->member, "%s", alert->member);
    snprintf(heard->group, sizeof heard->group, "%s", alert->group);
    snprintf(heard->path, sizeof heard->path, "%.*s", (int)alert->path.len, (const char *)alert->path.data);
    snprintf(heard->query, sizeof heard->query, "%.*s", (int)alert->query.len, (const char *)alert->query.data);
    snprintf(heard->payload, sizeof heard->payload, "%.*s", (int)alert->payload.len, (const char *)alert->payload.data);
}

/* The members are the mapping's, as settings/ has it. */
static void fill_keys(struct post *post) {
    const struct cg_mapping *mapping = world_mapping(&post->side.world, "lamps");
    struct cg_security_keys *keys = &post->keys[0];
    keys->name = "floor1";
    keys->members.list = mapping->members;
    keys->members.count = mapping->member_count;
    assert_true(cg_members_index(&keys->members, &post->side.world.config->arena));
    post->groups[0] = (struct cg_alert_group){.keys = keys, .server = cg_group_oscore_server(post->side.lamps)};
    post->side.world.config->alerts.groups = post->groups;
    post->side.world.config->alerts.group_count = 1;
}

void post_init(struct post *post, side_kind_fn kind) {
    memset(post, 0, sizeof *post);
    side_init(&post->side, kind, CG_FINISH_DEADLINE);
    fill_keys(post);
    post->inbound = cg_inbound_new(post->side.world.gateway);
    assert_non_null(post->inbound);
    post->hearer.hear = hear;
    cg_inbound_add_hearer(post->inbound, &post->hearer);
    for (int i = 1; i <= LAMPS; i++) lamp_init(&post->lamps[i], &post->side.keys, i);
}

void post_fini(struct post *post) {
    cg_inbound_free(post->inbound);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&post->lamps[i]);
    side_fini(&post->side);
}

int post_setup_of(void **state, side_kind_fn kind) {
    struct post *post = malloc(sizeof *post);
    if (post == NULL) return -1;
    post_init(post, kind);
    *state = post;
    return 0;
}

int post_setup(void **state) { return post_setup_of(state, fake_group_usual); }

int post_teardown(void **state) {
    post_fini(*state);
    free(*state);
    return 0;
}

void post_group_mode_only(struct fake_group *keys, uint8_t tag) {
    fake_group_make(keys, CG_COSE_NONE, 10, -8, CG_COSE_NONE, CG_SHA256, tag);
}

static void put_options(struct cg_msg_writer *writer, const struct letter_style *style) {
    if (style->options != NULL) {
        for (size_t i = 0; i < style->options->count; i++)
            cg_msg_put_opt(writer, style->options->list[i].number, style->options->list[i].value);
    } else {
        cg_msg_put_opt(writer, CG_OPT_URI_PATH, cg_slice_str(style->path == NULL ? "alarm" : style->path));
    }
    if (style->echo.len > 0) cg_msg_put_opt(writer, CG_OPT_ECHO, style->echo);
    cg_msg_put_payload(writer, cg_slice_str(style->text == NULL ? "fire" : style->text));
}

struct letter post_write(struct lamp *lamp, struct letter_style style) {
    static uint16_t mid = 0x100;
    uint8_t bytes[1536];
    struct cg_msg_writer writer;
    struct letter letter = {.len = 0};
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, style.code == 0 ? CG_POST : style.code, mid++,
                 (struct cg_token){.len = 1, .bytes = {7}});
    put_options(&writer, &style);
    struct cg_msg plain = fake_parse(bytes, cg_msg_end(&writer));
    struct cg_oscore_peer *gateway = fake_peer(lamp->context, &lamp->keys, 0);
    int len = cg_oscore_seal_request(lamp->context, style.group_mode ? NULL : gateway,
                                     style.number != 0 ? style.number : lamp->next++, &plain, letter.bytes,
                                     sizeof letter.bytes, &letter.binding);
    assert_true(len > 0);
    cg_oscore_binding_expect(&letter.binding, gateway);
    letter.len = (size_t)len;
    return letter;
}

static void on_reply(struct cg_inbound_call *call, const struct cg_inbound_reply *reply) {
    struct parcel *parcel = CG_CONTAINER(call, struct parcel, call);
    parcel->replies++;
    parcel->saying = reply->saying;
    parcel->is_proven = reply->is_proven;
    if (reply->saying != CG_INBOUND_ANSWER) return;
    assert_true(reply->options.len + reply->payload.len <= sizeof parcel->bytes);
    if (reply->options.len > 0) memcpy(parcel->bytes, reply->options.data, reply->options.len);
    if (reply->payload.len > 0) memcpy(parcel->bytes + reply->options.len, reply->payload.data, reply->payload.len);
    parcel->answer = (struct cg_msg){.type = CG_ACK,
                                     .code = reply->code,
                                     .options = cg_slice_of(parcel->bytes, reply->options.len),
                                     .payload = cg_slice_of(parcel->bytes + reply->options.len, reply->payload.len)};
}

void post_send(struct post *post, struct parcel *parcel, const char *from, const void *bytes, size_t len) {
    struct cg_inbound_arrival arrival = {.from = address(from), .size = len, .now_us = post->side.world.now_us};
    *parcel = (struct parcel){.call.reply = on_reply};
    if (cg_msg_parse(&arrival.msg, cg_slice_of(bytes, len)) != CG_OK) return; /* the message layer's */
    arrival.size -= arrival.msg.token.len;
    cg_inbound_take(post->inbound, &parcel->call, &arrival);
}

void post_settle(struct post *post) {
    while (post->side.store.count > 0) fake_store_grant(&post->side.store);
    fake_crypto_end_all(&post->side.crypto);
    while (post->side.store.count > 0) fake_store_grant(&post->side.store);
    fake_crypto_end_all(&post->side.crypto);
    world_run(&post->side.world);
}

void post_deliver(struct post *post, struct parcel *parcel, const struct letter *letter) {
    post_send(post, parcel, "127.1.0.9:40000", letter->bytes, letter->len);
    post_settle(post);
}

int post_open(struct lamp *lamp, const struct letter *letter, const struct parcel *parcel, struct cg_msg *plain) {
    static uint8_t room[4096];
    struct cg_oscore_opened opened;
    return cg_oscore_open_response(lamp->context, &parcel->answer, &letter->binding, NULL, room, sizeof room, plain,
                                   &opened);
}

struct letter post_introduce(struct post *post, int number, struct letter_style style) {
    struct lamp *lamp = &post->lamps[number];
    struct letter first = post_write(lamp, style);
    struct parcel parcel;
    struct cg_msg plain;
    post_deliver(post, &parcel, &first);
    assert_int_equal(parcel.saying, CG_INBOUND_ANSWER);
    assert_int_equal(post_open(lamp, &first, &parcel, &plain), CG_OK);
    assert_true(cg_oscore_is_challenge(&plain, &style.echo));
    struct letter second = post_write(lamp, style);
    post_deliver(post, &parcel, &second);
    assert_int_equal(parcel.saying, CG_INBOUND_ANSWER);
    assert_int_equal(post_open(lamp, &second, &parcel, &plain), CG_OK);
    assert_int_equal(plain.code, CG_CODE(2, 4));
    return second;
}

uint64_t post_count(const struct post *post, enum cg_alert_fate fate) {
    return cg_inbound_count(post->inbound, "floor1", fate) + cg_inbound_count(post->inbound, "floor2", fate) +
           cg_inbound_count(post->inbound, NULL, fate);
}
