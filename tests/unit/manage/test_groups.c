/* Stored security groups: made, taken in, joined, rekeyed; claimed before they are there, sealed, and told in public
 * only. R4, R11, R54, R55, R59. */
#include "fake_office.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <utlist.h>

#include "base/container.h"
#include "manage/groups.h"
#include "settings/security_group.h"

/* What the groups stand on. */
struct scene {
    struct office *office;
    struct cg_groups *groups;
    struct cg_worker *worker;
    struct cg_seal *seal;
    struct cg_store store;     /* that claims */
    struct cg_store_job *jobs; /* that wait, the first first */
    uv_idle_t claiming;
    unsigned claims;
    int refuse_with; /* the next claims' err */
    struct cg_sender_id claimed;
    const char *proven; /* of the next epoch: the credential's hash of who has shown that it holds them; NULL: nobody */
    struct cg_group_request *last;
    bool is_done;
    bool is_silent;             /* the store answers nothing any more */
    unsigned asked, most_asked; /* who has proven what, in this turn of the loop; in any */
};

/* ---- The numbers' store ---- */

static void on_claim(uv_idle_t *idle) {
    struct scene *scene = idle->data;
    struct cg_store_job *job = scene->jobs;
    scene->jobs = job->next;
    if (scene->jobs == NULL) uv_idle_stop(idle);
    job->err = scene->refuse_with;
    if (job->err < 0) (void)cg_problem_set(&job->failure.problem, job->err, "the store says no");
    job->done(job);
}

static void submit(struct cg_store *store, struct cg_store_job *job) {
    struct scene *scene = CG_CONTAINER(store, struct scene, store);
    assert_int_equal(job->operation, CG_STORE_CLAIM);
    LL_APPEND(scene->jobs, job);
    scene->claimed = job->sender;
    scene->claims++;
    if (!scene->is_silent) uv_idle_start(&scene->claiming, on_claim);
}

static const struct cg_store_ops store_ops = {.submit = submit};

/* ---- The scene ---- */

static struct cg_store *find_store(void *ctx) { return &((struct scene *)ctx)->store; }

static struct cg_config *find_config(void *ctx) { return &((struct scene *)ctx)->office->config; }

static bool has_proven(void *ctx, const char *group, enum cg_keyring_epoch epoch, struct cg_slice identity) {
    struct scene *scene = ctx;
    char hex[65];
    (void)group;
    if (++scene->asked > scene->most_asked) scene->most_asked = scene->asked;
    if (scene->proven == NULL || epoch != CG_KEYRING_NEXT) return false;
    for (size_t i = 0; i < identity.len && i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", identity.data[i]);
    return strcmp(hex, scene->proven) == 0;
}

static void numbers(void *ctx, const char *group, struct cg_group_numbers *to) {
    (void)ctx;
    (void)group;
    *to = (struct cg_group_numbers){.state = "sends", .used = 7};
}

static void make_groups(struct scene *scene, const struct cg_seal *seal) {
    const struct cg_groups_options options = {.manage = scene->office->manage,
                                              .worker = scene->worker,
                                              .seal = seal,
                                              .store = find_store,
                                              .config = find_config,
                                              .has_proven = has_proven,
                                              .numbers = numbers,
                                              .ctx = scene};
    scene->groups = cg_groups_new(&options);
    assert_non_null(scene->groups);
}

static struct cg_seal *new_seal(const struct scene *scene, const char *name) {
    char file[96];
    struct cg_problem problem = {0};
    struct cg_seal *seal;
    snprintf(file, sizeof file, "%s/%s", scene->office->folder, name);
    assert_int_equal(cg_seal_make(file, &problem), CG_OK);
    assert_int_equal(cg_seal_open(file, false, &seal, &problem), CG_OK);
    return seal;
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    void *office;
    if (office_setup(&office) != 0) return -1;
    scene->office = office;
    scene->store.ops = &store_ops;
    uv_idle_init(&scene->office->uv, &scene->claiming);
    scene->claiming.data = scene;
    scene->worker = cg_worker_new();
    cg_worker_open(scene->worker, &scene->office->uv);
    scene->seal = new_seal(scene, "seal");
    make_groups(scene, scene->seal);
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    void *office = scene->office;
    cg_group_request_free(scene->last);
    cg_worker_close(scene->worker, NULL, NULL);
    uv_close((uv_handle_t *)&scene->claiming, NULL);
    cg_groups_free(scene->groups);
    cg_seal_free(scene->seal);
    int status = office_teardown(&office);
    cg_worker_free(scene->worker);
    free(scene);
    return status;
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- Asking ---- */

static void on_done(struct cg_group_request *request) {
    struct scene *scene = request->ctx;
    scene->is_done = true;
}

static struct cg_group_request *begin_ask(struct scene *scene, enum cg_group_wish wish, const char *group,
                                          const char *body) {
    struct cg_group_request *request = cg_group_request_new();
    request->wish = wish;
    snprintf(request->group, sizeof request->group, "%s", group);
    request->body = body == NULL ? NULL : json_loads(body, 0, NULL);
    assert_true(body == NULL || request->body != NULL);
    snprintf(request->author.who, sizeof request->author.who, "root");
    snprintf(request->author.from, sizeof request->author.from, "127.0.0.1");
    request->operation = "test";
    request->done = on_done;
    request->ctx = scene;
    return request;
}

static int await_it(struct scene *scene, struct cg_group_request *request) {
    cg_group_request_free(scene->last);
    scene->last = request;
    scene->is_done = false;
    cg_groups_ask(scene->groups, request);
    assert_false(scene->is_done);
    while (!scene->is_done) {
        scene->asked = 0;
        uv_run(&scene->office->uv, UV_RUN_ONCE);
    }
    return request->err;
}

static int ask(struct scene *scene, enum cg_group_wish wish, const char *body) {
    return await_it(scene, begin_ask(scene, wish, wish == CG_GROUP_CREATE ? "" : "floor3", body));
}

static int fetch(struct scene *scene, const char *id) {
    struct cg_group_request *request = begin_ask(scene, CG_GROUP_FETCH, "floor3", NULL);
    snprintf(request->member, sizeof request->member, "%s", id);
    return await_it(scene, request);
}

#define assert_says(scene_, text_) assert_non_null(strstr((scene_)->last->problem.detail, text_))

#define TWO "{\"name\":\"floor3\",\"members\":[{\"name\":\"lamp-1\",\"address\":\"127.1.0.1\"},{\"name\":\"lamp-2\"}]}"

static void make_two(struct scene *scene) {
    if (ask(scene, CG_GROUP_CREATE, TWO) != CG_OK) fail_msg("%s", scene->last->problem.detail);
}

/* What is there, new. */
static json_t *view(struct scene *scene) {
    struct cg_group_request *request = begin_ask(scene, CG_GROUP_READ, "floor3", NULL), *last = scene->last;
    scene->last = NULL;
    assert_int_equal(await_it(scene, request), CG_OK);
    json_t *seen = json_incref(request->answer);
    cg_group_request_free(request);
    scene->last = last;
    return seen;
}

static const char *text_at(const json_t *json, const char *one, const char *two) {
    return json_string_value(json_object_get(json_object_get(json, one), two));
}

static const char *gid(struct scene *scene, const char *epoch) {
    static char text[32];
    json_t *seen = view(scene);
    const char *found = text_at(seen, epoch, "gid");
    snprintf(text, sizeof text, "%s", found == NULL ? "" : found);
    json_decref(seen);
    return text;
}

static const char *holds(struct scene *scene, size_t member, const char *epoch) {
    static char text[16];
    json_t *seen = view(scene), *one = json_array_get(json_object_get(seen, "members"), member);
    const char *found = text_at(one, "holds", epoch);
    snprintf(text, sizeof text, "%s", found == NULL ? "" : found);
    json_decref(seen);
    return text;
}

static size_t item_count(const struct scene *scene) {
    return cg_manage_count(scene->office->manage, CG_ITEM_KEYS) +
           cg_manage_count(scene->office->manage, CG_ITEM_SECURITY_GROUP);
}

/* The keys that are sealed in an epoch's item, new. */
static json_t *opened(struct scene *scene, const char *epoch) {
    const struct cg_item *group = cg_manage_find(scene->office->manage, CG_ITEM_SECURITY_GROUP, "floor3");
    json_t *document = json_loadb((const char *)group->document.data, group->document.len, 0, NULL), *keys;
    struct cg_problem problem = {0};
    const struct cg_item *item =
        cg_manage_find(scene->office->manage, CG_ITEM_KEYS, json_string_value(json_object_get(document, epoch)));
    json_decref(document);
    assert_non_null(item);
    assert_int_equal(cg_sealed_keys_open(scene->seal, item, &keys, &problem), CG_OK);
    return keys;
}

static bool is_somewhere(const struct scene *scene, const char *secret) {
    for (enum cg_item_kind kind = 0; kind < CG_ITEM_KIND_COUNT; kind++) {
        const struct cg_item *item = NULL;
        for (const char *after = ""; (item = cg_manage_next(scene->office->manage, kind, after)) != NULL;
             after = item->name) {
            if (memmem(item->document.data, item->document.len, secret, strlen(secret)) != NULL) return true;
            if (memmem(item->sealed.data, item->sealed.len, secret, strlen(secret)) != NULL) return true;
        }
    }
    return false;
}

/* ---- Tests ---- */

static void a_group_is_claimed_sealed_and_shown_without_secrets_R11(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    assert_int_equal(scene->claims, 1);
    json_t *keys = opened(scene, "keys"), *common = json_object_get(keys, "common");
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    struct cg_sender_id sender;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_security_group_read(keys, CG_GROUP_FILE_MANAGER, &group, &mistakes), CG_OK);
    assert_int_equal(cg_security_group_sender_id(group, &group->self, &sender), CG_OK);
    assert_memory_equal(sender.bytes, scene->claimed.bytes, sizeof sender.bytes);
    assert_string_equal(group->peers[0].name, "lamp-1");
    cg_security_group_free(group);
    cg_mistakes_fini(&mistakes);
    char *shown = json_dumps(scene->last->answer, 0);
    const char *const secrets[] = {json_string_value(json_object_get(common, "master_secret")),
                                   json_string_value(json_object_get(common, "master_salt")),
                                   text_at(keys, "gateway", "private_key"),
                                   text_at(keys, "group_manager", "private_key")};
    for (size_t i = 0; i < 4; i++) {
        assert_null(strstr(shown, secrets[i]));
        assert_false(is_somewhere(scene, secrets[i]));
    }
    assert_non_null(strstr(shown, "127.1.0.1"));
    assert_string_equal(text_at(scene->last->answer, "keys", "sender_id"), "c1");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(json_object_get(scene->last->answer, "keys"), "numbers"), "used")),
                     7);
    free(shown);
    json_decref(keys);
}

static void keys_that_cannot_be_claimed_are_nobodys(void **state) {
    struct scene *scene = *state;
    scene->refuse_with = CG_E_STORE;
    assert_int_equal(ask(scene, CG_GROUP_CREATE, TWO), CG_E_STORE);
    assert_says(scene, "the store says no");
    scene->refuse_with = CG_E_KEY_REFUSED;
    assert_int_equal(ask(scene, CG_GROUP_CREATE, TWO), CG_E_CONFLICT);
    assert_int_equal(item_count(scene), 0);
}

static void what_is_not_committed_is_not_there(void **state) {
    struct scene *scene = *state;
    scene->office->refuse_with = CG_E_NO_MEMORY;
    assert_int_equal(ask(scene, CG_GROUP_CREATE, TWO), CG_E_NO_MEMORY);
    assert_int_equal(item_count(scene), 0);
    scene->office->refuse_with = CG_OK;
    make_two(scene);
    assert_int_equal(ask(scene, CG_GROUP_CREATE, TWO), CG_E_CONFLICT);
    assert_says(scene, "is there already");
}

static void a_file_is_given_once(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    assert_string_equal(holds(scene, 0, "current"), "unknown");
    assert_int_equal(fetch(scene, "11"), CG_OK);
    json_t *keys = opened(scene, "keys");
    assert_string_equal(text_at(scene->last->answer, "self", "sender_id"), "11");
    assert_string_equal(text_at(scene->last->answer, "common", "master_secret"),
                        text_at(keys, "common", "master_secret"));
    json_decref(keys);
    assert_int_equal(fetch(scene, "11"), CG_E_CONFLICT);
    assert_says(scene, "fetched by root");
    assert_null(scene->last->answer);
    assert_string_equal(holds(scene, 0, "current"), "fetched");
    assert_string_equal(holds(scene, 1, "current"), "unknown");
    assert_int_equal(fetch(scene, "77"), CG_E_NOT_FOUND);
}

static void a_rekey_is_prepared_then_activated_R54_R55(void **state) {
    struct scene *scene = *state;
    char before[32], next[32];
    make_two(scene);
    snprintf(before, sizeof before, "%s", gid(scene, "keys"));
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{}"), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{\"evict\":[\"12\"]}"), CG_OK);
    assert_int_equal(scene->claims, 2);
    assert_int_equal(json_array_size(json_object_get(scene->last->answer, "files")), 1);
    snprintf(next, sizeof next, "%s", gid(scene, "next"));
    assert_string_equal(gid(scene, "keys"), before);
    assert_string_not_equal(next, before);
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{}"), CG_E_CONFLICT);
    assert_says(scene, "lamp-1");
    assert_null(strstr(scene->last->problem.detail, "lamp-2"));
    assert_int_equal(fetch(scene, "12"), CG_E_NOT_FOUND); /* it is evicted */
    assert_int_equal(fetch(scene, "11"), CG_OK);
    assert_string_equal(text_at(scene->last->answer, "common", "gid"), next);
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, NULL), CG_OK);
    assert_string_equal(gid(scene, "keys"), next);
    assert_string_equal(gid(scene, "next"), "");
    assert_int_equal(item_count(scene), 3); /* the group, its keys, one file that was fetched */
    json_t *seen = view(scene);
    assert_int_equal(json_array_size(json_object_get(seen, "members")), 1);
    json_decref(seen);
}

static void who_has_answered_under_the_new_keys_holds_them(void **state) {
    struct scene *scene = *state;
    char proven[65];
    make_two(scene);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_OK);
    json_t *seen = view(scene), *members = json_object_get(seen, "members");
    snprintf(proven, sizeof proven, "%s", json_string_value(json_object_get(json_array_get(members, 0), "credential")));
    json_decref(seen);
    scene->proven = proven;
    assert_string_equal(holds(scene, 0, "next"), "proven");
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{}"), CG_E_CONFLICT);
    assert_null(strstr(scene->last->problem.detail, "lamp-1"));
    assert_says(scene, "lamp-2");
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{\"force\":true}"), CG_OK);
}

enum { MANY = 1500 };

/* The loop looks at some in each of its turns. */
static void many_members_are_looked_at_in_slices(void **state) {
    struct scene *scene = *state;
    json_t *body = json_object(), *members = json_array();
    for (unsigned i = 0; i < MANY; i++)
        json_array_append_new(members, json_pack("{so}", "name", json_sprintf("lamp-%u", i)));
    json_object_set_new(body, "name", json_string("floor3"));
    json_object_set_new(body, "members", members);
    char *text = json_dumps(body, 0);
    assert_int_equal(ask(scene, CG_GROUP_CREATE, text), CG_OK);
    free(text);
    json_decref(body);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_OK);
    scene->most_asked = 0;
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{}"), CG_E_CONFLICT);
    assert_says(scene, "1500 members are not known");
    assert_says(scene, "lamp-0, lamp-1, lamp-2, lamp-3, lamp-4, lamp-5, lamp-6, lamp-7, lamp-8, lamp-9 and others");
    assert_in_range(scene->most_asked, 1, MANY / 2);
}

static void no_gid_comes_back(void **state) {
    struct scene *scene = *state;
    char first[32];
    make_two(scene);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_OK);
    snprintf(first, sizeof first, "%s", gid(scene, "next"));
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_ABANDON, NULL), CG_OK);
    assert_string_equal(gid(scene, "next"), "");
    assert_int_equal(item_count(scene), 2);
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"name\":\"lamp-3\",\"rekey\":false}"), CG_OK);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_OK);
    assert_true(strcmp(gid(scene, "next"), first) > 0);
    snprintf(first, sizeof first, "%s", gid(scene, "next"));
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{\"replace\":true}"), CG_OK);
    assert_true(strcmp(gid(scene, "next"), first) > 0);
    assert_int_equal(item_count(scene), 4); /* and lamp-3's file */
}

static void a_new_sender_id_is_prepared_and_not_given_up(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{\"new_sender_id\":true}"), CG_OK);
    json_t *seen = view(scene);
    assert_string_equal(text_at(seen, "next", "sender_id"), "c2");
    assert_string_equal(text_at(seen, "next", "gid"), text_at(seen, "keys", "gid"));
    json_decref(seen);
    assert_int_equal(ask(scene, CG_GROUP_ABANDON, NULL), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{\"force\":true}"), CG_OK);
}

static void a_joiner_gets_its_file_once_R54(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"name\":\"lamp-3\",\"address\":\"127.1.0.3:5683\"}"), CG_OK);
    const json_t *file = json_object_get(scene->last->answer, "file");
    assert_string_equal(text_at(file, "self", "sender_id"), "13");
    assert_string_equal(text_at(file, "common", "gid"), gid(scene, "next"));
    assert_int_equal(scene->claims, 2);
    assert_string_equal(holds(scene, 2, "next"), "fetched");
    assert_int_equal(fetch(scene, "13"), CG_E_CONFLICT);
    /* One more, under what is prepared. */
    char next[32];
    snprintf(next, sizeof next, "%s", gid(scene, "next"));
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"name\":\"lamp-4\"}"), CG_OK);
    assert_string_equal(gid(scene, "next"), next);
    assert_string_equal(json_string_value(json_object_get(scene->last->answer, "epoch")), "next");
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"name\":\"lamp-5\",\"rekey\":false}"), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"name\":\"lamp-4\"}"), CG_E_INVALID);
    assert_string_equal(scene->last->mistakes.first->pointer, "/name");
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{\"address\":\"nowhere\"}"), CG_E_INVALID);
    assert_string_equal(scene->last->mistakes.first->pointer, "/address");
}

static void bodies_that_are_no_good_say_why(void **state) {
    struct scene *scene = *state;
    static const struct {
        const char *body, *pointer;
    } rows[] = {
        {"{\"members\":2}", "/name"},
        {"{\"name\":\"Floor\",\"members\":2}", "/name"},
        {"{\"name\":\"relay\",\"members\":2}", "/name"},
        {"{\"name\":\"floor3\"}", "/members"},
        {"{\"name\":\"floor3\",\"members\":0}", "/members"},
        {"{\"name\":\"floor3\",\"members\":10001}", "/members"},
        {"{\"name\":\"floor3\",\"members\":[7]}", "/members/0"},
        {"{\"name\":\"floor3\",\"members\":[{\"name\":\"a\"},{\"name\":\"A\"}]}", "/members/1/name"},
        {"{\"name\":\"floor3\",\"members\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "/members/1/name"},
        {"{\"name\":\"floor3\",\"members\":2,\"alg_aead\":\"x\"}", "/alg_aead"},
        {"{\"name\":\"floor3\",\"members\":2,\"alg_group_enc\":-65530}", "/alg_group_enc"},
        {"{\"name\":\"floor3\",\"members\":2,\"hkdf\":\"md5\"}", "/hkdf"},
        {"{\"name\":\"floor3\",\"members\":2,\"member_peers\":\"some\"}", "/member_peers"},
        {"{\"name\":\"floor3\",\"members\":2,\"countersign_elements\":6}", "/countersign_elements"},
        {"{\"name\":\"floor3\",\"members\":2,\"addresses\":\"224.0.0.1\"}", "/addresses"},
        {"{\"name\":\"floor3\",\"members\":2,\"warm\":1}", "/warm"},
        {"{\"name\":\"floor3\",\"members\":2,\"gid\":\"00\"}", "/gid"},
        {"{\"name\":\"floor3\",\"pending\":true}", "/group_manager"},
        {"{\"name\":\"floor3\",\"common\":{}}", "/never_sent"},
        {"{\"name\":\"floor3\",\"common\":{},\"never_sent\":true}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ask(scene, CG_GROUP_CREATE, rows[i].body), CG_E_INVALID);
        if (scene->last->mistakes.first == NULL) fail_msg("%s: no mistake", rows[i].body);
        if (rows[i].pointer[0] != '\0') assert_string_equal(scene->last->mistakes.first->pointer, rows[i].pointer);
    }
    assert_int_equal(ask(scene, CG_GROUP_CREATE, "{\"name\":\"floor3\",\"members\":2,\"alg_signature\":-99}"),
                     CG_E_INVALID);
    assert_int_equal(item_count(scene), 0);
    assert_int_equal(scene->claims, 0);
}

static void groups_of_every_kind_are_made(void **state) {
    struct scene *scene = *state;
    static const char *const rest[] = {"\"hkdf\":\"sha512\"", "\"alg_pairwise_key_agreement\":null",
                                       "\"alg_group_enc\":null,\"alg_signature\":null",
                                       "\"alg_signature\":-7,\"member_peers\":\"gateway\"",
                                       "\"addresses\":\"127.1.0.1\",\"warm\":true,\"countersign_elements\":4"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char body[160];
        snprintf(body, sizeof body, "{\"name\":\"floor3\",\"members\":2,%s}", rest[i]);
        if (ask(scene, CG_GROUP_CREATE, body) != CG_OK) fail_msg("%s: %s", body, scene->last->problem.detail);
        assert_int_equal(fetch(scene, "12"), CG_OK);
        assert_int_equal(ask(scene, CG_GROUP_DELETE, NULL), CG_OK);
        assert_int_equal(item_count(scene), 0);
    }
}

/* The gateway's file of the group that is there, as somebody else would bring it; the caller frees. */
static char *gateway_file(struct scene *scene, bool never_sent) {
    json_t *keys = opened(scene, "keys"), *file = cg_keyring_file(keys, 1);
    if (never_sent) json_object_set_new(file, "never_sent", json_true());
    char *text = json_dumps(file, 0);
    json_decref(file);
    json_decref(keys);
    return text;
}

static void keys_of_others_are_taken_in(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    char *silent = gateway_file(scene, false), *said = gateway_file(scene, true);
    assert_int_equal(ask(scene, CG_GROUP_PUT, said), CG_E_CONFLICT); /* it has keys */
    assert_int_equal(ask(scene, CG_GROUP_DELETE, NULL), CG_OK);
    assert_int_equal(ask(scene, CG_GROUP_PUT, silent), CG_E_INVALID);
    assert_string_equal(scene->last->mistakes.first->pointer, "/never_sent");
    unsigned claims = scene->claims;
    assert_int_equal(ask(scene, CG_GROUP_PUT, said), CG_OK);
    assert_true(scene->last->is_new);
    assert_int_equal(scene->claims, claims + 1);
    assert_false(json_is_true(json_object_get(json_object_get(scene->last->answer, "keys"), "managed")));
    assert_int_equal(fetch(scene, "11"), CG_E_CONFLICT);
    assert_says(scene, "managed elsewhere");
    assert_int_equal(ask(scene, CG_GROUP_JOIN, "{}"), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_E_CONFLICT);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, said), CG_OK);
    assert_int_equal(ask(scene, CG_GROUP_ACTIVATE, "{\"force\":true}"), CG_OK);
    free(silent);
    free(said);
}

static void a_pending_group_waits_for_its_keys_R59(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    char *said = gateway_file(scene, true);
    assert_int_equal(ask(scene, CG_GROUP_DELETE, NULL), CG_OK);
    unsigned claims = scene->claims;
    assert_int_equal(
        ask(scene, CG_GROUP_CREATE,
            "{\"name\":\"floor3\",\"pending\":true,\"group_manager\":\"coap://gm.example/ace-group/gp1\"}"),
        CG_OK);
    assert_int_equal(scene->claims, claims);
    assert_int_equal(item_count(scene), 1);
    assert_true(json_is_null(json_object_get(scene->last->answer, "keys")));
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_E_CONFLICT);
    assert_says(scene, "has no keys yet");
    assert_int_equal(ask(scene, CG_GROUP_PUT, said), CG_OK);
    assert_null(json_object_get(scene->last->answer, "pending"));
    assert_string_equal(text_at(scene->last->answer, "keys", "sender_id"), "c1");
    free(said);
}

static void a_dry_run_spends_nothing(void **state) {
    struct scene *scene = *state;
    struct cg_group_request *request = begin_ask(scene, CG_GROUP_CREATE, "", TWO);
    request->mode = CG_CHANGE_DRY;
    assert_int_equal(await_it(scene, request), CG_OK);
    assert_int_equal(json_array_size(json_object_get(request->answer, "difference")), 1);
    assert_true(json_is_array(json_object_get(request->answer, "sends")));
    assert_int_equal(scene->claims, 0);
    assert_int_equal(item_count(scene), 0);
    make_two(scene);
    request = begin_ask(scene, CG_GROUP_PREPARE, "floor3", "{\"evict\":[\"11\"]}");
    request->mode = CG_CHANGE_DRY;
    assert_int_equal(await_it(scene, request), CG_OK);
    request = begin_ask(scene, CG_GROUP_FETCH, "floor3", NULL);
    request->mode = CG_CHANGE_DRY;
    snprintf(request->member, sizeof request->member, "11");
    assert_int_equal(await_it(scene, request), CG_OK);
    assert_null(json_object_get(request->answer, "common"));
    assert_int_equal(scene->claims, 1);
    assert_int_equal(item_count(scene), 2);
    request = begin_ask(scene, CG_GROUP_CREATE, "", TWO);
    request->mode = CG_CHANGE_DRY;
    assert_int_equal(await_it(scene, request), CG_E_CONFLICT);
}

static void without_a_seal_nothing_is_kept(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    cg_groups_free(scene->groups);
    make_groups(scene, NULL);
    assert_int_equal(ask(scene, CG_GROUP_CREATE, "{\"name\":\"other\",\"members\":1}"), CG_E_CONFLICT);
    assert_says(scene, "seal_key");
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_E_CONFLICT);
    assert_says(scene, "seal_key");
    struct cg_seal *other = new_seal(scene, "other");
    cg_groups_free(scene->groups);
    make_groups(scene, other);
    assert_int_equal(ask(scene, CG_GROUP_PREPARE, "{}"), CG_E_CONFLICT);
    assert_says(scene, "sealed with another key");
    assert_int_equal(ask(scene, CG_GROUP_DELETE, NULL), CG_OK);
    cg_seal_free(other);
}

static void what_was_made_of_what_is_no_more_is_refused(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    struct cg_group_request *one = begin_ask(scene, CG_GROUP_PREPARE, "floor3", "{}"),
                            *two = begin_ask(scene, CG_GROUP_PREPARE, "floor3", "{}");
    bool both = false;
    cg_groups_ask(scene->groups, one);
    cg_group_request_free(scene->last);
    scene->last = two;
    scene->is_done = false;
    cg_groups_ask(scene->groups, two);
    while (!both) {
        uv_run(&scene->office->uv, UV_RUN_NOWAIT);
        both = (one->revision > 0 || one->err < 0) && (two->revision > 0 || two->err < 0) && scene->is_done;
    }
    int good = one->err == CG_OK ? one->err : two->err, bad = one->err == CG_OK ? two->err : one->err;
    assert_int_equal(good, CG_OK);
    assert_int_equal(bad, CG_E_CONFLICT);
    cg_group_request_free(one);
}

static void a_stale_match_is_refused(void **state) {
    struct scene *scene = *state;
    make_two(scene);
    struct cg_group_request *request = begin_ask(scene, CG_GROUP_PATCH, "floor3", "{\"warm\":true}");
    request->has_match = true;
    request->match = 77;
    assert_int_equal(await_it(scene, request), CG_E_STALE);
    assert_int_equal(ask(scene, CG_GROUP_PATCH, "{\"warm\":true}"), CG_OK);
    assert_true(json_is_true(json_object_get(scene->last->answer, "warm")));
    assert_int_equal(ask(scene, CG_GROUP_PUT, "{}"), CG_OK);
    assert_true(json_is_false(json_object_get(scene->last->answer, "warm")));
    json_t *seen = view(scene);
    char *text = json_dumps(seen, 0);
    assert_int_equal(ask(scene, CG_GROUP_PUT, text), CG_OK); /* what was read can be sent back */
    free(text);
    json_decref(seen);
    assert_int_equal(ask(scene, CG_GROUP_PATCH, "{\"gid\":\"00\"}"), CG_E_INVALID);
}

static void the_end_tells_who_waits(void **state) {
    struct scene *scene = *state;
    struct cg_group_request *request = begin_ask(scene, CG_GROUP_CREATE, "", TWO);
    cg_group_request_free(scene->last);
    scene->last = request;
    scene->is_done = false;
    scene->is_silent = true;
    cg_groups_ask(scene->groups, request);
    while (scene->claims == 0) uv_run(&scene->office->uv, UV_RUN_ONCE);
    cg_groups_free(scene->groups);
    assert_true(scene->is_done);
    assert_int_equal(request->err, CG_E_STOPPING);
    scene->jobs = NULL;
    make_groups(scene, scene->seal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scene_test(a_group_is_claimed_sealed_and_shown_without_secrets_R11),
        scene_test(keys_that_cannot_be_claimed_are_nobodys),
        scene_test(what_is_not_committed_is_not_there),
        scene_test(a_file_is_given_once),
        scene_test(a_rekey_is_prepared_then_activated_R54_R55),
        scene_test(who_has_answered_under_the_new_keys_holds_them),
        scene_test(many_members_are_looked_at_in_slices),
        scene_test(no_gid_comes_back),
        scene_test(a_new_sender_id_is_prepared_and_not_given_up),
        scene_test(a_joiner_gets_its_file_once_R54),
        scene_test(bodies_that_are_no_good_say_why),
        scene_test(groups_of_every_kind_are_made),
        scene_test(keys_of_others_are_taken_in),
        scene_test(a_pending_group_waits_for_its_keys_R59),
        scene_test(a_dry_run_spends_nothing),
        scene_test(without_a_seal_nothing_is_kept),
        scene_test(what_was_made_of_what_is_no_more_is_refused),
        scene_test(a_stale_match_is_refused),
        scene_test(the_end_tells_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
