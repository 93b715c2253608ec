/* Stored items and the settings file as one snapshot: who has the last word, what is out of use, and whose mistake it
 * is. */
#include "fake_group_file.h"

#include "model/mapping.h"
#include "model/reaction.h"
#include "settings/stored.h"

#include <string.h>

#define TOKEN(digit) "'token_sha256':'" #digit "000000000000000000000000000000000000000000000000000000000000000'"
#define PLAIN(more)  "{'group':'coap://224.0.1.187','security':'none'" more "}"

enum { MOST = 16 };

/* What is stored, what is asked for, and what comes of it. */
struct scene {
    struct cg_item *items[MOST], *wanted[MOST];
    size_t count, edit_count;
    struct cg_edit edits[MOST];
    struct cg_config *in_use, *config;
    struct cg_mistakes mistakes;
    int unseal_err;
    int err;
};

static void unquote(char *to, size_t size, const char *text) {
    snprintf(to, size, "%s", text);
    for (; *to != '\0'; to++)
        if (*to == '\'') *to = '"';
}

static struct cg_item *item(enum cg_item_kind kind, const char *name, const char *document, const char *sealed) {
    char text[2048];
    unquote(text, sizeof text, document);
    struct cg_item *made =
        cg_item_new(kind, name, cg_slice_str(text), sealed == NULL ? CG_SLICE_NONE : cg_slice_str(sealed));
    assert_non_null(made);
    return made;
}

static void store(struct scene *scene, enum cg_item_kind kind, const char *name, const char *document) {
    scene->items[scene->count++] = item(kind, name, document, NULL);
}

static void store_keys(struct scene *scene, const char *name) {
    scene->items[scene->count++] = item(CG_ITEM_KEYS, name, "{}", MEMBER);
}

#define NONE "'group':'coap://224.0.1.187','security':'none'"

/* NULL: it goes. */
static void edit(struct scene *scene, enum cg_item_kind kind, const char *name, const char *document) {
    struct cg_item *made = document == NULL ? NULL : item(kind, name, document, NULL);
    scene->wanted[scene->edit_count] = made;
    scene->edits[scene->edit_count++] = (struct cg_edit){.kind = kind, .name = name, .item = made};
}

/* What was sealed is the text in quotes. */
static int unseal(void *ctx, const struct cg_item *sealed, struct cg_buf *secret) {
    const struct scene *scene = ctx;
    if (scene->unseal_err < 0) return scene->unseal_err;
    for (size_t i = 0; i < sealed->sealed.len; i++)
        cg_buf_put_u8(secret, sealed->sealed.data[i] == '\'' ? '"' : sealed->sealed.data[i]);
    return cg_buf_error(secret);
}

static void load(struct scene *scene, const char *file) {
    char text[4096];
    const struct cg_stored stored = {
        .items = scene->items,
        .count = scene->count,
        .edits = scene->edits,
        .edit_count = scene->edit_count,
        .in_use = scene->in_use,
        .unseal = unseal,
        .ctx = scene,
    };
    unquote(text, sizeof text, file);
    cg_mistakes_init(&scene->mistakes);
    scene->err =
        cg_settings_parse_stored(cg_slice_str(text), "/etc/castgate", &stored, &scene->config, &scene->mistakes);
}

static void fini(struct scene *scene) {
    for (size_t i = 0; i < scene->count; i++) cg_item_unref(scene->items[i]);
    for (size_t i = 0; i < scene->edit_count; i++) cg_item_unref(scene->wanted[i]);
    cg_config_unref(scene->in_use);
    cg_config_unref(scene->config);
    cg_mistakes_fini(&scene->mistakes);
}

static void must_load(struct scene *scene, const char *file) {
    load(scene, file);
    print_all(&scene->mistakes);
    assert_int_equal(scene->err, CG_OK);
}

static void assert_state(const struct scene *scene, enum cg_item_kind kind, const char *name, enum cg_item_state state,
                         const char *wanted) {
    const char *reason;
    assert_int_equal(cg_stored_state(scene->config, kind, name, &reason), state);
    if (wanted == NULL) {
        assert_null(reason);
    } else {
        assert_string_equal(reason, wanted);
    }
}

static void assert_mistake(const struct scene *scene, int err, const char *pointer, const char *message) {
    print_all(&scene->mistakes);
    assert_int_equal(scene->err, err);
    assert_null(scene->config);
    assert_int_equal(scene->mistakes.count, 1);
    assert_string_equal(scene->mistakes.first->pointer, pointer);
    assert_string_equal(scene->mistakes.first->message, message);
}

/* ---- What is stored counts ---- */

static void stored_items_stand_beside_the_files(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(",'clients':['door']"));
    store(&scene, CG_ITEM_MAPPING, "attic", PLAIN(",'clients':['desk',{'name':'door','methods':['GET']}]"));
    store(&scene, CG_ITEM_CLIENT, "door", "{" TOKEN(2) "}");
    must_load(&scene, "{'clients':{'desk':{" TOKEN(1) "}},'mappings':[{'name':'m','group':'coap://224.0.1.187',"
                                                      "'security':'none','clients':['desk']}]}");
    const struct cg_mapping *hall = cg_mapping_by_name(scene.config, "hall");
    assert_non_null(hall);
    assert_string_equal(hall->path, "/hall");
    assert_ptr_equal(hall->grants[0].client, cg_config_client_by_name(scene.config, "door"));
    assert_true(hall->is_stored);
    assert_false(cg_mapping_by_name(scene.config, "m")->is_stored);
    assert_int_equal(scene.config->mapping_count, 3);
    assert_state(&scene, CG_ITEM_MAPPING, "hall", CG_ITEM_IN_USE, NULL);
    assert_true(cg_stored_is_of_file(scene.config, CG_ITEM_MAPPING, "m"));
    assert_false(cg_stored_is_of_file(scene.config, CG_ITEM_MAPPING, "hall"));
    assert_true(cg_stored_is_of_file(scene.config, CG_ITEM_CLIENT, "desk"));
    assert_false(cg_stored_is_of_file(scene.config, CG_ITEM_CLIENT, "door"));
    fini(&scene);
}

static void their_order_is_that_of_their_names_whatever_was_edited(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_MAPPING, "c", PLAIN(""));
    store(&scene, CG_ITEM_MAPPING, "a", PLAIN(""));
    edit(&scene, CG_ITEM_MAPPING, "b", PLAIN(""));
    edit(&scene, CG_ITEM_MAPPING, "a", PLAIN(",'timeout':7"));
    must_load(&scene, "{}");
    assert_int_equal(scene.config->mapping_count, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(scene.config->mappings[i].name[0], 'a' + (int)i);
    assert_int_equal(scene.config->mappings[0].timeout_us, 7000000);
    fini(&scene);
}

static void stored_keys_are_opened(void **state) {
    (void)state;
    struct scene scene = {0};
    store_keys(&scene, "first");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'first','warm':true}");
    store(&scene, CG_ITEM_MAPPING, "hall", "{'group':'coap://224.0.1.187','security':'lamps'}");
    must_load(&scene, "{}");
    const struct cg_mapping *hall = cg_mapping_by_name(scene.config, "hall");
    assert_int_equal(hall->security, CG_SECURITY_GROUP);
    assert_non_null(hall->keys->keys);
    assert_true(hall->keys->warm);
    assert_string_equal(hall->keys->stored_keys, "first");
    assert_int_equal(hall->member_count, 1);
    fini(&scene);
}

static void stored_reactions_command_stored_mappings(void **state) {
    (void)state;
    struct scene scene = {0};
    store_keys(&scene, "k");
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{'alerts':{'groups':['lamps'],'window':3}}");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'k'}");
    store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(""));
    store(&scene, CG_ITEM_REACTION, "wake",
          "{'when':{'group':'lamps','path':'/fire'},'do':[{'mapping':'hall','method':'GET'}]}");
    must_load(&scene, "{}");
    assert_state(&scene, CG_ITEM_REACTION, "wake", CG_ITEM_IN_USE, NULL);
    assert_non_null(cg_reaction_by_name(scene.config, "wake"));
    assert_int_equal(scene.config->alerts.group_count, 1);
    assert_int_equal(scene.config->alerts.window, 3);
    fini(&scene);
}

/* ---- Settings ---- */

static void stored_settings_are_below_the_files(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME,
          "{'group':{'hops':3,'nstart':4},'limits':{'exchanges':77},'http':{'hosts':['gw.example']}}");
    store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(""));
    must_load(&scene, "{'group':{'hops':9},'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none'}]}");
    assert_int_equal(scene.config->group.hops, 9);
    assert_int_equal(scene.config->group.nstart, 4);
    assert_int_equal(scene.config->limits.exchanges, 77);
    assert_int_equal(scene.config->http.host_count, 1);
    assert_int_equal(cg_mapping_by_name(scene.config, "hall")->targets[0].hops, 9);
    fini(&scene);
}

static void what_is_the_files_alone_cannot_be_set(void **state) {
    (void)state;
    static const struct {
        const char *settings, *pointer, *message;
    } rows[] = {
        {"{'state':'/tmp'}", "/settings/settings/state", "can be set in the settings file only"},
        {"{'http':{'listen':['0.0.0.0:80']}}", "/settings/settings/http/listen",
         "can be set in the settings file only"},
        {"{'coap':{'tls':null}}", "/settings/settings/coap/tls", "can be set in the settings file only"},
        {"{'mappings':[]}", "/settings/settings/mappings", "is no setting: its items are set one by one"},
        {"{'clients':{}}", "/settings/settings/clients", "is no setting: its items are set one by one"},
        {"{'group':{'hops':0}}", "/settings/settings/group/hops", "must be a whole number from 1 to 255"},
        {"{'alerts':{'groups':['x']}}", "/settings/settings/alerts/groups/0",
         "the security group \"x\" is not in \"security_groups\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene = {0};
        edit(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, rows[i].settings);
        load(&scene, "{}");
        assert_mistake(&scene, CG_E_FORMAT, rows[i].pointer, rows[i].message);
        fini(&scene);
    }
}

static void what_nobody_would_take_is_not_kept_below_the_files(void **state) {
    (void)state;
    static const struct {
        const char *settings, *pointer, *message;
    } rows[] = {
        {"{'group':'x'}", "/settings/settings/group", "must be an object"},
        {"{'group':{'hops':'x'}}", "/settings/settings/group/hops", "must be a whole number from 1 to 255"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene = {0};
        edit(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, rows[i].settings);
        load(&scene, "{'group':{'hops':3}}");
        assert_mistake(&scene, CG_E_FORMAT, rows[i].pointer, rows[i].message);
        fini(&scene);
    }
}

static void the_files_keys_are_known(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{'limits':{'exchanges':77}}");
    must_load(&scene, "{'group':{'hops':9},'http':{'hosts':['gw.example']},'clients':{},'state':'/tmp'}");
    assert_int_equal(scene.config->file_key_count, 3);
    assert_true(cg_stored_file_sets(scene.config, "/group/hops"));
    assert_true(cg_stored_file_sets(scene.config, "/http/hosts"));
    assert_true(cg_stored_file_sets(scene.config, "/state"));
    assert_false(cg_stored_file_sets(scene.config, "/group"));
    assert_false(cg_stored_file_sets(scene.config, "/limits/exchanges"));
    fini(&scene);
}

static void bad_stored_settings_are_left_out_as_a_whole(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{'group':{'nstart':4,'hops':4711}}");
    must_load(&scene, "{}");
    assert_int_equal(scene.config->group.nstart, 1);
    assert_state(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, CG_ITEM_DISABLED,
                 "must be a whole number from 1 to 255");
    fini(&scene);
}

static void the_files_mistakes_are_the_files(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{'group':{'nstart':4}}");
    edit(&scene, CG_ITEM_MAPPING, "m", PLAIN(""));
    load(&scene, "{'group':{'hops':0}}");
    assert_mistake(&scene, CG_E_FORMAT, "/group/hops", "must be a whole number from 1 to 255");
    fini(&scene);
}

/* ---- The file has the last word ---- */

static const char a_file[] = "{'security_groups':{},'clients':{'desk':{" TOKEN(
    1) "}},'mappings':["
       "{'name':'m','path':'/hall','group':'coap://224.0.1.187','security':'none'}]}";

static void on_the_same_name_or_path_the_file_wins(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_CLIENT, "desk", "{" TOKEN(2) "}");
    store(&scene, CG_ITEM_MAPPING, "m", PLAIN(",'path':'/other'"));
    store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(""));
    store(&scene, CG_ITEM_MAPPING, "other", PLAIN(""));
    must_load(&scene, a_file);
    assert_state(&scene, CG_ITEM_CLIENT, "desk", CG_ITEM_SHADOWED, "the settings file has a client of that name");
    assert_state(&scene, CG_ITEM_MAPPING, "m", CG_ITEM_SHADOWED,
                 "the settings file has a mapping of that name (m at /hall)");
    assert_state(&scene, CG_ITEM_MAPPING, "hall", CG_ITEM_SHADOWED,
                 "the settings file has a mapping at that path (m at /hall)");
    assert_state(&scene, CG_ITEM_MAPPING, "other", CG_ITEM_IN_USE, NULL);
    assert_int_equal(scene.config->mapping_count, 2);
    assert_int_equal(cg_config_client_by_name(scene.config, "desk")->tokens[0].sha256[0], 0x10);
    assert_true(cg_stored_is_of_file(scene.config, CG_ITEM_MAPPING, "m"));
    fini(&scene);
}

/* Which of the file's it is, where some are out of use. */
static void the_files_mapping_is_named(void **state) {
    (void)state;
    struct scene scene = {0};
    static const char file[] = "{'mappings':["
                               "{'name':'a','path':'/a','enabled':false," NONE "},"
                               "{'name':'b','path':'/b'," NONE "},"
                               "{'name':'c','path':'/c','host':'gw.example'," NONE "}]}";
    store(&scene, CG_ITEM_MAPPING, "a", PLAIN(",'path':'/x'"));
    store(&scene, CG_ITEM_MAPPING, "b", PLAIN(",'path':'/y'"));
    store(&scene, CG_ITEM_MAPPING, "z", PLAIN(",'path':'/c','host':'gw.example'"));
    must_load(&scene, file);
    assert_state(&scene, CG_ITEM_MAPPING, "a", CG_ITEM_SHADOWED,
                 "the settings file has a mapping of that name (a at /a)");
    assert_state(&scene, CG_ITEM_MAPPING, "b", CG_ITEM_SHADOWED,
                 "the settings file has a mapping of that name (b at /b)");
    assert_state(&scene, CG_ITEM_MAPPING, "z", CG_ITEM_SHADOWED,
                 "the settings file has a mapping at that path (c at gw.example/c)");
    fini(&scene);
}

static void an_edit_that_the_file_is_in_the_way_of_is_a_conflict(void **state) {
    (void)state;
    struct scene scene = {0};
    edit(&scene, CG_ITEM_MAPPING, "hall", PLAIN(""));
    load(&scene, a_file);
    assert_mistake(&scene, CG_E_CONFLICT, "/mappings/hall",
                   "the settings file has a mapping at that path (m at /hall): it can be changed there only");
    fini(&scene);
}

/* ---- Out of use ---- */

static void what_refers_to_nothing_is_out_of_use_and_the_rest_is_not(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_MAPPING, "a", "{'group':'coap://224.0.1.187','path':'/x','security':'gone'}");
    store(&scene, CG_ITEM_MAPPING, "b", PLAIN(",'path':'/x'"));
    store(&scene, CG_ITEM_MAPPING, "c", PLAIN(",'clients':['nobody']"));
    store(&scene, CG_ITEM_MAPPING, "d", PLAIN(",'clients':['nobody']"));
    store(&scene, CG_ITEM_MAPPING, "e", "[]");
    must_load(&scene, "{}");
    assert_state(&scene, CG_ITEM_MAPPING, "a", CG_ITEM_DISABLED,
                 "/security: the security group \"gone\" is not there, or not in use");
    assert_state(&scene, CG_ITEM_MAPPING, "b", CG_ITEM_IN_USE, NULL);
    assert_state(&scene, CG_ITEM_MAPPING, "c", CG_ITEM_DISABLED,
                 "/clients/0: the client \"nobody\" is not defined in \"clients\"");
    assert_state(&scene, CG_ITEM_MAPPING, "d", CG_ITEM_DISABLED,
                 "/clients/0: the client \"nobody\" is not defined in \"clients\"");
    assert_state(&scene, CG_ITEM_MAPPING, "e", CG_ITEM_DISABLED, "must be an object");
    assert_int_equal(scene.config->mapping_count, 1);
    fini(&scene);
}

static void keys_that_stay_sealed_end_their_group_alone(void **state) {
    (void)state;
    struct scene scene = {.unseal_err = CG_E_NOT_FOUND};
    store_keys(&scene, "first");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'first'}");
    store(&scene, CG_ITEM_SECURITY_GROUP, "pending", "{}");
    store(&scene, CG_ITEM_MAPPING, "hall", "{'group':'coap://224.0.1.187','security':'lamps'}");
    store(&scene, CG_ITEM_MAPPING, "open", PLAIN(""));
    must_load(&scene, "{}");
    assert_state(&scene, CG_ITEM_SECURITY_GROUP, "lamps", CG_ITEM_DISABLED,
                 "its keys cannot be opened: the key that seals them is not there");
    assert_state(&scene, CG_ITEM_SECURITY_GROUP, "pending", CG_ITEM_DISABLED, "its keys have yet to come");
    assert_state(&scene, CG_ITEM_MAPPING, "hall", CG_ITEM_DISABLED,
                 "/security: the security group \"lamps\" is not there, or not in use");
    assert_state(&scene, CG_ITEM_MAPPING, "open", CG_ITEM_IN_USE, NULL);
    assert_int_equal(scene.config->security_group_count, 0);
    fini(&scene);
}

static void what_is_not_enabled_leaves_its_path_to_others(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_MAPPING, "off", PLAIN(",'path':'/x','enabled':false"));
    edit(&scene, CG_ITEM_MAPPING, "on", PLAIN(",'path':'/x','enabled':true"));
    must_load(&scene, "{'mappings':[{'name':'f','path':'/x','group':'coap://224.0.1.187','security':'none',"
                      "'enabled':false},{'name':'g','group':'coap://224.0.1.187','security':'none'}]}");
    assert_state(&scene, CG_ITEM_MAPPING, "off", CG_ITEM_DISABLED, "\"enabled\" is false");
    assert_state(&scene, CG_ITEM_MAPPING, "on", CG_ITEM_IN_USE, NULL);
    assert_null(cg_mapping_by_name(scene.config, "off"));
    assert_null(cg_mapping_by_name(scene.config, "f"));
    assert_true(cg_stored_is_of_file(scene.config, CG_ITEM_MAPPING, "f"));
    assert_int_equal(scene.config->mapping_count, 2);
    fini(&scene);
}

/* ---- Tokens ---- */

#define SHOWN(client, digit)                                                                                           \
    "{'client':'" client "','sha256':'" #digit "000000000000000000000000000000000000000000000000000000000000000',"     \
    "'made':'2026-11-29T12:00:00Z'}"

static void stored_tokens_lead_to_clients_wherever_these_are_defined(void **state) {
    (void)state;
    struct scene scene = {0};
    const struct cg_pass *pass;
    uint8_t digest[32] = {0x30};
    store(&scene, CG_ITEM_TOKEN, "t1", SHOWN("desk", 3));
    store(&scene, CG_ITEM_TOKEN, "t2", SHOWN("door", 4));
    store(&scene, CG_ITEM_TOKEN, "t3", SHOWN("nobody", 5));
    store(&scene, CG_ITEM_TOKEN, "t4", SHOWN("door", 1));
    store(&scene, CG_ITEM_CLIENT, "door", "{}");
    must_load(&scene, a_file);
    assert_string_equal(cg_config_client_by_token(scene.config, digest, &pass)->name, "desk");
    digest[0] = 0x40;
    assert_string_equal(cg_config_client_by_token(scene.config, digest, &pass)->name, "door");
    digest[0] = 0x10;
    assert_string_equal(cg_config_client_by_token(scene.config, digest, &pass)->name, "desk");
    assert_state(&scene, CG_ITEM_TOKEN, "t1", CG_ITEM_IN_USE, NULL);
    assert_state(&scene, CG_ITEM_TOKEN, "t3", CG_ITEM_DISABLED, "its client is not there");
    assert_state(&scene, CG_ITEM_TOKEN, "t4", CG_ITEM_DISABLED, "a client has the same token already");
    fini(&scene);
}

static void a_token_for_nobody_is_a_mistake(void **state) {
    (void)state;
    struct scene scene = {0};
    edit(&scene, CG_ITEM_TOKEN, "t1", SHOWN("nobody", 3));
    load(&scene, a_file);
    assert_mistake(&scene, CG_E_FORMAT, "/tokens/t1", "its client is not there");
    fini(&scene);
}

/* ---- Warnings ---- */

static void warnings_can_be_had_of_one_item(void **state) {
    (void)state;
    struct scene scene = {0};
    struct cg_mistakes warnings;
    store_keys(&scene, "k");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'k'}");
    store(&scene, CG_ITEM_CLIENT, "c", "{}");
    store(&scene, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, "{'group':{'frame_size':99,'receive_buffer':4096}}");
    store(&scene, CG_ITEM_MAPPING, "safe", "{'group':'coap://224.0.1.187/a/b','security':'lamps','clients':['c']}");
    store(&scene, CG_ITEM_MAPPING, "bare",
          PLAIN(",'timeout':1,'members':['127.1.0.1','127.1.0.2','127.1.0.3','127.1.0.4']"));
    must_load(&scene, "{}");
    cg_mistakes_init(&warnings);
    cg_stored_warnings(scene.config, CG_ITEM_MAPPING, "safe", &warnings);
    assert_int_equal(warnings.count, 1);
    assert_string_equal(warnings.first->code, "request-too-large");
    assert_string_equal(warnings.first->pointer, "/mappings/safe/security");
    assert_non_null(strstr(warnings.first->message, "requests of safe have 100 bytes at the least"));
    cg_mistakes_fini(&warnings);
    cg_stored_warnings(scene.config, CG_ITEM_MAPPING, "bare", &warnings);
    const char *const codes[] = {"short-timeout", "plain-group", "small-buffer", "no-clients"};
    const struct cg_mistake *it = warnings.first;
    assert_int_equal(warnings.count, 4);
    for (size_t i = 0; i < 4; i++, it = it->next) assert_string_equal(it->code, codes[i]);
    cg_mistakes_fini(&warnings);
    fini(&scene);
}

/* ---- Edits ---- */

static void mistakes_of_edits_are_told_where_they_are(void **state) {
    (void)state;
    static const struct {
        enum cg_item_kind kind;
        const char *name, *document, *pointer, *message;
    } rows[] = {
        {CG_ITEM_MAPPING, "m", PLAIN(",'timeout':-1"), "/mappings/m/timeout",
         "must be a number of seconds, above 0 and at most 3600"},
        {CG_ITEM_MAPPING, "m", PLAIN(",'name':'n'"), "/mappings/m/name", "must be \"m\", the item's name, or absent"},
        {CG_ITEM_MAPPING, "m", "{'group':'coap://224.0.1.187','security':'relay','check_signature':'/etc/shadow'}",
         "/mappings/m/check_signature", "can be set in the settings file only"},
        {CG_ITEM_CLIENT, "c", "{'psk':{'identity':'c','key_file':'/etc/shadow'}}", "/clients/c/psk",
         "can be set in the settings file only"},
        {CG_ITEM_CLIENT, "anonymous", "{}", "/clients/anonymous",
         "\"anonymous\" stands for clients that are not known: choose another name"},
        {CG_ITEM_MAPPING, "taken", PLAIN(",'path':'/hall'"), "/mappings/taken/path",
         "is the same path at the same host as /mappings/hall"},
        {CG_ITEM_SECURITY_GROUP, "g", "{'keys':'none-such'}", "/security-groups/g/keys",
         "there are no keys \"none-such\""},
        {CG_ITEM_SECURITY_GROUP, "g", "{'file':'/etc/shadow'}", "/security-groups/g/file",
         "unknown key; known here: keys, next, warm, latest_gid, pending, group_manager, app_group, security_group"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene = {0};
        store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(""));
        edit(&scene, rows[i].kind, rows[i].name, rows[i].document);
        load(&scene, "{}");
        assert_mistake(&scene, CG_E_FORMAT, rows[i].pointer, rows[i].message);
        fini(&scene);
    }
}

/* A snapshot of what is stored. */
static void put_in_use(struct scene *scene, const char *file) {
    must_load(scene, file);
    cg_mistakes_fini(&scene->mistakes);
    scene->in_use = scene->config;
    scene->config = NULL;
}

static void an_edit_may_not_put_others_out_of_use(void **state) {
    (void)state;
    struct scene scene = {0};
    store_keys(&scene, "k");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'k'}");
    store(&scene, CG_ITEM_MAPPING, "hall", "{'group':'coap://224.0.1.187','security':'lamps'}");
    store(&scene, CG_ITEM_MAPPING, "off", "{'group':'coap://224.0.1.187','security':'lamps','enabled':false}");
    put_in_use(&scene, "{}");
    edit(&scene, CG_ITEM_CLIENT, "c", "{}");
    edit(&scene, CG_ITEM_SECURITY_GROUP, "lamps", NULL);
    load(&scene, "{}");
    assert_mistake(&scene, CG_E_CONFLICT, "/security-groups/lamps",
                   "mappings/hall would be out of use: /security: the security group \"lamps\" is not there, or not in "
                   "use");
    fini(&scene);
}

static void what_goes_together_may_go(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_CLIENT, "c", "{}");
    store(&scene, CG_ITEM_MAPPING, "hall", PLAIN(",'clients':['c']"));
    store(&scene, CG_ITEM_MAPPING, "attic", PLAIN(",'clients':['c']"));
    put_in_use(&scene, "{}");
    edit(&scene, CG_ITEM_CLIENT, "c", NULL);
    edit(&scene, CG_ITEM_MAPPING, "hall", NULL);
    edit(&scene, CG_ITEM_MAPPING, "attic", PLAIN(""));
    must_load(&scene, "{}");
    assert_int_equal(scene.config->mapping_count, 1);
    assert_int_equal(scene.config->client_count, 0);
    fini(&scene);
}

static void two_may_change_their_paths_at_once(void **state) {
    (void)state;
    struct scene scene = {0};
    store(&scene, CG_ITEM_MAPPING, "a", PLAIN(",'path':'/one'"));
    store(&scene, CG_ITEM_MAPPING, "b", PLAIN(",'path':'/two'"));
    put_in_use(&scene, "{}");
    edit(&scene, CG_ITEM_MAPPING, "a", PLAIN(",'path':'/two'"));
    edit(&scene, CG_ITEM_MAPPING, "b", PLAIN(",'path':'/one'"));
    must_load(&scene, "{}");
    assert_string_equal(cg_mapping_by_name(scene.config, "a")->path, "/two");
    fini(&scene);
}

/* ---- Printed ---- */

static void assert_prints(const struct scene *scene, enum cg_item_kind kind, const char *name, const char *part) {
    struct cg_buf text;
    char wanted[256];
    unquote(wanted, sizeof wanted, part);
    cg_buf_init(&text, 0);
    assert_true(cg_stored_put_effective(&text, scene->config, kind, name));
    cg_buf_put_u8(&text, 0);
    assert_false(text.failed);
    json_error_t error;
    json_t *json = json_loads((const char *)text.data, JSON_REJECT_DUPLICATES, &error);
    assert_true(json_is_object(json));
    json_decref(json);
    if (strstr((const char *)text.data, wanted) == NULL) fail_msg("%s lacks %s", (const char *)text.data, wanted);
    cg_buf_fini(&text);
}

static void an_item_is_printed_as_it_counts(void **state) {
    (void)state;
    struct scene scene = {0};
    store_keys(&scene, "k");
    store(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "{'keys':'k'}");
    store(&scene, CG_ITEM_CLIENT, "door", "{" TOKEN(2) "}");
    store(&scene, CG_ITEM_MAPPING, "off", PLAIN(",'enabled':false"));
    must_load(&scene, a_file);
    assert_prints(&scene, CG_ITEM_MAPPING, "m", "'max_timeout': 60");
    assert_prints(&scene, CG_ITEM_SECURITY_GROUP, "lamps", "'keys': 'k'");
    assert_prints(&scene, CG_ITEM_CLIENT, "door", "'token_sha256': '2000");
    struct cg_buf none;
    cg_buf_init(&none, 0);
    assert_false(cg_stored_put_effective(&none, scene.config, CG_ITEM_MAPPING, "off"));
    assert_false(cg_stored_put_effective(&none, scene.config, CG_ITEM_TOKEN, "x"));
    assert_int_equal(none.len, 0);
    fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_items_stand_beside_the_files),
        cmocka_unit_test(their_order_is_that_of_their_names_whatever_was_edited),
        cmocka_unit_test(stored_keys_are_opened),
        cmocka_unit_test(stored_reactions_command_stored_mappings),
        cmocka_unit_test(stored_settings_are_below_the_files),
        cmocka_unit_test(what_is_the_files_alone_cannot_be_set),
        cmocka_unit_test(what_nobody_would_take_is_not_kept_below_the_files),
        cmocka_unit_test(the_files_keys_are_known),
        cmocka_unit_test(bad_stored_settings_are_left_out_as_a_whole),
        cmocka_unit_test(the_files_mistakes_are_the_files),
        cmocka_unit_test(on_the_same_name_or_path_the_file_wins),
        cmocka_unit_test(the_files_mapping_is_named),
        cmocka_unit_test(an_edit_that_the_file_is_in_the_way_of_is_a_conflict),
        cmocka_unit_test(what_refers_to_nothing_is_out_of_use_and_the_rest_is_not),
        cmocka_unit_test(keys_that_stay_sealed_end_their_group_alone),
        cmocka_unit_test(what_is_not_enabled_leaves_its_path_to_others),
        cmocka_unit_test(stored_tokens_lead_to_clients_wherever_these_are_defined),
        cmocka_unit_test(a_token_for_nobody_is_a_mistake),
        cmocka_unit_test(warnings_can_be_had_of_one_item),
        cmocka_unit_test(mistakes_of_edits_are_told_where_they_are),
        cmocka_unit_test(an_edit_may_not_put_others_out_of_use),
        cmocka_unit_test(what_goes_together_may_go),
        cmocka_unit_test(two_may_change_their_paths_at_once),
        cmocka_unit_test(an_item_is_printed_as_it_counts),
    };
    return cmocka_run_group_tests_name("settings/stored", tests, NULL, NULL);
}
