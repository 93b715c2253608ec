/* The stage. The hard thing is to be strict without a word in the tests: each emission and each line for a client is
 * kept until somebody is said to hear it. */
#include "exchange/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/text.h"
#include "exchange/fake_keys.h"
#include "exchange/fake_world.h"
#include "exchange/recording.h"
#include "exchange/spoken.h"
#include "exchange/told.h"
#include "relay/relay.h"
#include "reply/sink.h"
#include "settings/fake_text.h"

static const char *const known_clients[] = {"alice", "bob", "carol"}; /* all others are anonymous */

enum {
    CLIENTS_MAX = 16,
    KNOWN_CLIENTS = sizeof known_clients / sizeof *known_clients,
    HEARD_MAX = 256,
    HOLDERS_MAX = 4
};

#define EVERY_METHOD "['GET','POST','PUT','DELETE','FETCH','PATCH','iPATCH']"

struct client {
    struct cg_sink sink;
    char name[32];
    struct cg_ticket ticket;
    bool reads;
    bool is_over;
    struct cg_buf heard; /* lines */
    struct cg_buf all;   /* that it was said to hear before */
    char exchange[CG_EXCHANGE_ID_MAX];
};

/* An emission that somebody was said to hear. */
struct heard {
    size_t index;
    char text[256];
};

static struct stage {
    struct world world;
    struct cg_buf settings, mappings;
    struct client clients[CLIENTS_MAX];
    size_t client_count;
    struct heard heard[HEARD_MAX];
    size_t heard_count;
    bool said[HEARD_MAX]; /* which emissions */
    const char *holders[HOLDERS_MAX];
    size_t holder_count;
    struct fake_keys keys;
    const char *relaying;
    struct cg_relay_services services;
    struct cg_relay *relay;
    char last_answer_from[64];
    struct cg_buf last_answer;
    uint64_t began_us;
    uint16_t next_mid;
    bool failing;
    struct recording recording; /* of all that happens */
    struct cg_mute mute;        /* of one that is played once more */
    struct cg_buf drawn;        /* random bytes, for names of exchanges */
    const struct stage *first;  /* that is played once more; NULL: this is the first */
    size_t drawn_again;
    bool draws;
    void (*random)(void *ctx, void *to, size_t len);
    struct cg_buf transcript, expected;
} * stage;

/* The transcript */

static void CG_PRINTF(1, 2) note(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cg_buf_printf(&stage->transcript, "%10.6f  %s\n", (double)(stage->world.now_us - stage->began_us) / 1e6, text);
}

static void fail_here(const char *file, int line, const char *who, const char *expected, const char *got) {
    stage->failing = true;
    print_error("%.*s", (int)stage->transcript.len, (const char *)stage->transcript.data);
    print_error("%s should hear: %s\n%s heard:       %s\n", who, expected, who, got);
    _fail(file, line);
}

/* Ends *buf with a NUL behind its text. */
static const char *text_of(struct cg_buf *buf) {
    cg_buf_put_u8(buf, 0);
    assert_int_equal(cg_buf_error(buf), CG_OK);
    buf->len--;
    return (const char *)buf->data;
}

/* The gateway */

static void put_everybody(struct cg_buf *to) {
    cg_buf_put_str(to, ",'clients':['anonymous'");
    for (unsigned i = 0; i < KNOWN_CLIENTS; i++) cg_buf_printf(to, ",'%s'", known_clients[i]);
    cg_buf_put_str(to, "]");
}

void gateway_serves(const char *path, const char *settings) {
    struct cg_buf *to = &stage->mappings;
    bool relays = strstr(settings, "'relay'") != NULL;
    cg_buf_printf(to, "%s{'name':'%s','path':'%s','interface':'lo'", to->len > 0 ? "," : "", path + 1, path);
    if (strstr(settings, "'clients'") == NULL) put_everybody(to);
    if (strstr(settings, "'group'") == NULL && strstr(settings, "'targets'") == NULL)
        cg_buf_put_str(to, ",'group':'coap://224.0.1.187/base'");
    if (!relays) cg_buf_put_str(to, ",'security':'none','unsafe_methods':true");
    if (!relays && strstr(settings, "'methods'") == NULL) cg_buf_put_str(to, ",'methods':" EVERY_METHOD);
    if (strstr(settings, "'timeout'") == NULL) cg_buf_put_str(to, ",'timeout':2");
    cg_buf_printf(to, "%s%s}", settings[0] == '\0' ? "" : ",", settings);
}

void gateway_has(const char *settings) { cg_buf_printf(&stage->settings, "%s,", settings); }

void gateway_holds_keys(const char *path) { stage->holders[stage->holder_count++] = path + 1; }

void gateway_relays(const char *path) { stage->relaying = path + 1; }

/* Each with a token that hashes to its number. */
static void put_clients(struct cg_buf *to) {
    for (unsigned i = 0; i < KNOWN_CLIENTS; i++)
        cg_buf_printf(to, "%s'%s':{'token_sha256':'%064x'}", i > 0 ? "," : "", known_clients[i], i);
}

static void read_settings(void) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "{'clients':{");
    put_clients(&text);
    cg_buf_printf(&text, "},%s'mappings':[%s]}", text_of(&stage->settings), text_of(&stage->mappings));
    cg_config_unref(stage->world.config);
    stage->world.config = must_parse(text_of(&text));
    cg_buf_fini(&text);
}

static void choose_protectors(struct cg_config *config) {
    if (stage->first != NULL) {
        for (size_t i = 0; i < config->mapping_count; i++) config->mappings[i].protector = &stage->mute.protector;
        return;
    }
    for (size_t i = 0; i < config->mapping_count; i++) config->mappings[i].protector = cg_protector_none();
    for (size_t i = 0; i < stage->holder_count; i++)
        world_mapping(&stage->world, stage->holders[i])->protector = &stage->keys.protector;
    if (stage->relaying == NULL) return;
    stage->relay = cg_relay_new(&stage->services);
    assert_non_null(stage->relay);
    world_mapping(&stage->world, stage->relaying)->protector = cg_relay_protector(stage->relay);
}

/* Names of exchanges are the same when it is played once more. */
static void draw(void *ctx, void *to, size_t len) {
    stage->random(ctx, to, len);
    if (!stage->draws) return;
    if (stage->first == NULL) {
        cg_buf_put(&stage->drawn, to, len);
    } else {
        assert_true(stage->drawn_again + len <= stage->first->drawn.len);
        memcpy(to, stage->first->drawn.data + stage->drawn_again, len);
        stage->drawn_again += len;
    }
}

static void start_gateway(void) {
    struct world *world = &stage->world;
    read_settings();
    choose_protectors(world->config);
    for (size_t i = 0; i < world->config->mapping_count; i++) world->config->mappings[i].repair_probe = false;
    world->gateway = cg_gateway_new(world->config, &world->port);
    assert_non_null(world->gateway);
    stage->services.engine = cg_gateway_engine(world->gateway);
    if (stage->first == NULL) recording_listen(&stage->recording, stage->services.engine);
}

/* Clients */

static struct client *client_of(struct cg_sink *sink) { return CG_CONTAINER(sink, struct client, sink); }

static struct client *find_client(const char *name) {
    for (size_t i = stage->client_count; i > 0; i--) {
        if (strcmp(stage->clients[i - 1].name, name) == 0) return &stage->clients[i - 1];
    }
    fail_msg("nobody is called %s", name);
    return NULL;
}

static bool is_streaming(const struct client *client);

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct client *client = client_of(sink);
    struct cg_buf *to = &client->heard;
    assert_false(client->is_over);
    client->is_over = true;
    ending->status = 200;
    if (how == CG_SINK_LEFT) return;
    strcpy(client->exchange, view->exchange);
    if (problem->err < 0) cg_buf_printf(to, "problem %s" TOLD_END, cg_err_info(problem->err)->slug);
    if (how == CG_SINK_CUT) cg_buf_put_str(to, "cut" TOLD_END);
    if (problem->err < 0 || how == CG_SINK_CUT) return;
    if (is_streaming(client)) {
        told_summary(to, view);
    } else {
        told_whole(to, view);
    }
}

static int on_begin(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink;
    (void)view;
    (void)problem;
    return CG_OK;
}

static bool on_has_room(struct cg_sink *sink, enum cg_sink_word word) {
    (void)word;
    return client_of(sink)->reads;
}

static int on_answer(struct cg_sink *sink, const struct cg_view *view, const struct cg_answer *held,
                     struct cg_problem *problem) {
    struct castgate_answer answer;
    struct cg_reading reading;
    (void)problem;
    assert_true(client_of(sink)->reads);
    cg_reading_init(&reading, view);
    cg_reading_describe(&reading, held, &answer);
    told_answer(&client_of(sink)->heard, &answer);
    cg_reading_fini(&reading);
    return CG_OK;
}

static uint64_t on_look(struct cg_sink *sink, const struct cg_view *view, struct cg_problem *problem) {
    (void)sink;
    (void)view;
    (void)problem;
    return UINT64_MAX;
}

static const struct cg_sink_ops whole_ops = {.end = on_end};
static const struct cg_sink_ops stream_ops = {
    .begin = on_begin, .has_room = on_has_room, .answer = on_answer, .look = on_look, .end = on_end};

static bool is_streaming(const struct client *client) { return client->sink.ops == &stream_ops; }

static struct cg_slice keep(struct cg_arena *arena, struct cg_slice bytes) {
    if (bytes.data == NULL) return CG_SLICE_NONE;
    uint8_t *copy = cg_arena_alloc(arena, bytes.len + 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.len);
    return cg_slice_of(copy, bytes.len);
}

/* The request's options; what the front would take out of them is taken out. */
static void take_options(struct cg_request *request, struct cg_arena *arena, const struct spoken *spoken) {
    struct cg_opt *list = cg_arena_alloc(arena, SPOKEN_OPTIONS_MAX * sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < spoken->options.count; i++) {
        struct cg_opt opt = {.number = spoken->list[i].number, .value = keep(arena, spoken->list[i].value)};
        if (opt.number == SPOKEN_TIMEOUT) {
            request->has_timeout = true;
            request->timeout_s = cg_uint_parse(opt.value);
            continue;
        }
        if (opt.number == CG_OPT_OBSERVE) {
            request->observes = true;
            continue;
        }
        if (opt.number == CG_OPT_NO_RESPONSE) request->no_response = cg_uint_parse(opt.value);
        list[request->options.count++] = opt;
    }
    request->options.list = list;
}

static void fill_request(struct cg_request *request, struct cg_arena *arena, const char *client, const char *text) {
    const struct cg_client *known = cg_config_client_by_name(stage->world.config, client);
    struct spoken spoken;
    spoken_read(&spoken, text);
    *request = (struct cg_request){.method = spoken.code,
                                   .client = known,
                                   .proof = known == NULL ? CG_PROOF_NONE : CG_PROOF_TOKEN,
                                   .pass = known == NULL ? NULL : known->tokens,
                                   .may_be_anonymous = true,
                                   .forward = cg_slice_starts(spoken.path, "coap://"),
                                   .path = keep(arena, spoken.path),
                                   .query = keep(arena, spoken.query),
                                   .payload = keep(arena, spoken.payload)};
    take_options(request, arena, &spoken);
}

/* What is done once more when all of it is played once more. */
static void record(void (*act)(const char *who, const char *what), const char *who, const char *what) {
    if (stage->first == NULL) recording_add(&stage->recording, stage->world.now_us, act, who, what);
}

static void ask(const char *name, const char *text, const struct cg_sink_ops *ops, enum cg_finishing finishing) {
    struct cg_problem problem;
    if (stage->world.gateway == NULL) start_gateway();
    assert_true(stage->client_count < CLIENTS_MAX);
    note("%s -> gateway: %s", name, text);
    struct client *client = &stage->clients[stage->client_count++];
    *client = (struct client){.sink.ops = ops, .reads = true};
    snprintf(client->name, sizeof client->name, "%s", name);
    struct cg_gateway *gateway = stage->world.gateway;
    stage->draws = true;
    assert_int_equal(cg_gateway_new_exchange(gateway, &client->ticket, &problem), CG_OK);
    stage->draws = false;
    struct cg_request *request = cg_gateway_request(gateway, client->ticket);
    fill_request(request, cg_gateway_arena(gateway, client->ticket), name, text);
    request->finishing = finishing;
    request->needs_timeout = finishing == CG_FINISH_BY_TIME;
    cg_gateway_start(gateway, client->ticket, &client->sink, stage->world.now_us);
    assert_int_equal(client->heard.len, 0); /* never from inside */
    world_run(&stage->world);
}

void client_asks(const char *client, const char *request) {
    record(client_asks, client, request);
    ask(client, request, &whole_ops, CG_FINISH_AS_MAPPING);
}

void client_streams(const char *client, const char *request) {
    record(client_streams, client, request);
    ask(client, request, &stream_ops, CG_FINISH_AS_MAPPING);
}

void client_listens(const char *client, const char *request) {
    record(client_listens, client, request);
    ask(client, request, &stream_ops, CG_FINISH_BY_TIME);
}

static void leave(const char *name, const char *nothing) {
    record(leave, name, nothing);
    cg_gateway_abandon(stage->world.gateway, find_client(name)->ticket);
    world_run(&stage->world);
    assert_true(find_client(name)->is_over);
}

static void stop_reading(const char *name, const char *nothing) {
    record(stop_reading, name, nothing);
    find_client(name)->reads = false;
}

static void read_on(const char *name, const char *nothing) {
    struct client *client = find_client(name);
    record(read_on, name, nothing);
    client->reads = true;
    if (!client->is_over) cg_sink_wake(&client->sink);
    world_run(&stage->world);
}

void client_leaves(const char *client) {
    note("%s leaves", client);
    leave(client, "");
}

void client_stops_reading(const char *client) {
    note("%s stops reading", client);
    stop_reading(client, "");
}

void client_reads_on(const char *client) {
    note("%s reads on", client);
    read_on(client, "");
}

void scenario_got(const char *file, int line, const char *name, const char *const *lines) {
    struct client *client = find_client(name);
    struct cg_buf *expected = &stage->expected;
    cg_buf_clear(expected);
    for (; *lines != NULL; lines++) cg_buf_printf(expected, "%s" TOLD_END, *lines);
    note("%s <- gateway: %s", name, text_of(&client->heard));
    bool same = strcmp(text_of(expected), text_of(&client->heard)) == 0;
    if (!same) fail_here(file, line, name, text_of(expected), text_of(&client->heard));
    cg_buf_put_slice(&client->all, cg_buf_slice(&client->heard));
    cg_buf_clear(&client->heard);
}

/* Members */

static const struct emission *emission(size_t index) { return &stage->world.sent[index]; }

static bool goes_to(size_t index, const char *member) {
    const struct cg_addr *to = &emission(index)->route.to;
    if (member == NULL) return cg_addr_is_multicast(to);
    struct cg_addr addr = address(member);
    return cg_addr_equal(to, &addr);
}

/* The first that goes there and that nobody was said to hear; HEARD_MAX: none. */
static size_t next_emission(const char *member) {
    assert_true(stage->world.sent_count <= HEARD_MAX);
    for (size_t i = 0; i < stage->world.sent_count; i++) {
        if (!stage->said[i] && goes_to(i, member)) return i;
    }
    return HEARD_MAX;
}

static void write_emission(char text[256], size_t index) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    spoken_write(&buf, &emission(index)->msg);
    snprintf(text, 256, "%s", text_of(&buf));
    cg_buf_fini(&buf);
}

void scenario_heard_by(const char *file, int line, const char *member, const char *message) {
    const char *who = member == NULL ? "the group" : member;
    size_t index = next_emission(member);
    if (index == HEARD_MAX) fail_here(file, line, who, message, "nothing");
    struct heard *heard = &stage->heard[stage->heard_count++];
    heard->index = index;
    write_emission(heard->text, index);
    stage->said[index] = true;
    note("gateway -> %s: %s", who, heard->text);
    if (strcmp(heard->text, message) != 0) fail_here(file, line, who, message, heard->text);
}

void scenario_quiet(const char *file, int line) {
    char text[256], to[CG_ADDR_TEXT_MAX];
    for (size_t i = 0; i < stage->world.sent_count; i++) {
        if (stage->said[i]) continue;
        write_emission(text, i);
        cg_addr_emit(&emission(i)->route.to, to);
        fail_here(file, line, to, "nothing", text);
    }
}

/* The latest request (or ping) that `member` was said to hear, or that is this text. */
static const struct emission *latest_request(const char *member, const char *text) {
    for (size_t i = stage->heard_count; i > 0; i--) {
        const struct heard *heard = &stage->heard[i - 1];
        bool fits = text != NULL ? strcmp(heard->text, text) == 0
                                 : goes_to(heard->index, NULL) || goes_to(heard->index, member);
        if (fits && emission(heard->index)->msg.type <= CG_NON) return emission(heard->index);
    }
    fail_msg("%s has heard no such request", member);
    return NULL;
}

static enum cg_type type_of(const struct spoken *spoken, const struct emission *request) {
    if (spoken->has_type) return spoken->type;
    return request->msg.type == CG_CON ? CG_ACK : CG_NON;
}

static void deliver(const char *member) {
    struct cg_buf *answer = &stage->last_answer;
    world_deliver(&stage->world, member, answer->data, answer->len);
    world_run(&stage->world);
}

static void answer_to(const struct emission *request, const char *member, const char *text) {
    struct spoken spoken;
    struct cg_msg_writer writer;
    spoken_read(&spoken, text);
    enum cg_type type = type_of(&spoken, request);
    uint16_t mid = type == CG_ACK || type == CG_RST ? request->msg.mid : stage->next_mid++;
    struct cg_token token = spoken.code == CG_EMPTY ? (struct cg_token){0} : request->msg.token;
    struct cg_buf *answer = &stage->last_answer;
    cg_buf_clear(answer);
    uint8_t *bytes = cg_buf_reserve(answer, 2048);
    assert_non_null(bytes);
    cg_msg_begin(&writer, bytes, 2048, type, spoken.code, mid, token);
    for (size_t i = 0; i < spoken.options.count; i++)
        cg_msg_put_opt(&writer, spoken.list[i].number, spoken.list[i].value);
    cg_msg_put_payload(&writer, spoken.payload);
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    answer->len = (size_t)len;
    snprintf(stage->last_answer_from, sizeof stage->last_answer_from, "%s", member);
    note("%s -> gateway: %s", member, text);
    deliver(member);
}

void member_answers(const char *member, const char *answer) { answer_to(latest_request(member, NULL), member, answer); }

void member_answers_to(const char *request, const char *member, const char *answer) {
    answer_to(latest_request(member, request), member, answer);
}

void member_repeats(const char *member) {
    assert_string_equal(member, stage->last_answer_from);
    note("%s -> gateway: the same once more", member);
    deliver(member);
}

/* Everything else */

void time_passes(double seconds) {
    world_advance(&stage->world, (uint64_t)(seconds * 1e6 + 0.5));
    record(NULL, "", "");
}

static void change_keys(const char *nobody, const char *nothing) {
    record(change_keys, nobody, nothing);
    stage->keys.epoch++;
    stage->keys.protector.renewals++;
    stage->mute.protector.renewals++;
    world_run(&stage->world);
}

void keys_change(void) {
    note("the keys change");
    change_keys("", "");
}

static void stop(const char *nobody, const char *nothing) {
    record(stop, nobody, nothing);
    cg_gateway_stop(stage->world.gateway);
    cg_gateway_finish_all(stage->world.gateway);
    world_run(&stage->world);
}

void gateway_stops(void) {
    note("the gateway stops");
    stop("", "");
}

void nothing_can_be_sent(void) {
    note("the network is down");
    stage->world.emit_error = CG_E_EMIT;
}

static bool set_stage(void) {
    stage = calloc(1, sizeof *stage);
    if (stage == NULL) return false;
    world_init(&stage->world);
    stage->random = stage->world.port.random;
    stage->world.port.random = draw;
    fake_keys_init(&stage->keys);
    recording_init(&stage->recording);
    cg_mute_init(&stage->mute);
    stage->began_us = stage->world.now_us;
    stage->next_mid = 1;
    return true;
}

int scenario_setup(void **state) {
    if (!set_stage()) return -1;
    *state = stage;
    return 0;
}

static void check_all_was_said(void) {
    scenario_quiet(__FILE__, __LINE__);
    for (size_t i = 0; i < stage->client_count; i++) {
        struct client *client = &stage->clients[i];
        if (!client->is_over) fail_here(__FILE__, __LINE__, client->name, "the end", "none");
        if (client->heard.len > 0) fail_here(__FILE__, __LINE__, client->name, "nothing more", text_of(&client->heard));
    }
    if (stage->world.gateway != NULL) assert_int_equal(cg_gateway_running(stage->world.gateway), 0);
}

static void fini(void) {
    world_fini(&stage->world);
    assert_int_equal(stage->keys.bindings, 0);
    cg_relay_free(stage->relay);
    for (size_t i = 0; i < stage->client_count; i++) {
        cg_buf_fini(&stage->clients[i].heard);
        cg_buf_fini(&stage->clients[i].all);
    }
    recording_fini(&stage->recording);
    cg_buf_fini(&stage->drawn);
    cg_buf_fini(&stage->settings);
    cg_buf_fini(&stage->mappings);
    cg_buf_fini(&stage->last_answer);
    cg_buf_fini(&stage->transcript);
    cg_buf_fini(&stage->expected);
    free(stage);
    stage = NULL;
}

static void compare(struct client *again, struct client *before) {
    cg_buf_put_slice(&again->all, cg_buf_slice(&again->heard));
    const char *expected = text_of(&before->all), *got = text_of(&again->all);
    if (strcmp(expected, got) != 0) fail_here(__FILE__, __LINE__, again->name, expected, got);
    assert_string_equal(again->exchange, before->exchange);
}

/* What was recorded of it is told to another gateway, which says the same to the same clients. */
static void play_once_more(void) {
    struct stage *first = stage;
    assert_true(set_stage());
    stage->first = first;
    cg_buf_put_slice(&stage->settings, cg_buf_slice(&first->settings));
    cg_buf_put_slice(&stage->mappings, cg_buf_slice(&first->mappings));
    start_gateway();
    recording_tell(&first->recording, &stage->world, &stage->mute);
    assert_int_equal(stage->client_count, first->client_count);
    for (size_t i = 0; i < stage->client_count; i++) compare(&stage->clients[i], &first->clients[i]);
    assert_int_equal(cg_gateway_running(stage->world.gateway), 0);
    fini();
    stage = first;
}

int scenario_teardown(void **state) {
    (void)state;
    if (!stage->failing) check_all_was_said();
    if (!stage->failing && stage->world.gateway != NULL) play_once_more();
    fini();
    return 0;
}
