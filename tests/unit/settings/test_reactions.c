/* Reactions in the settings: what they become, that they are printed as they are read, and every mistake that would
 * keep one from acting. */
#include "fake_group_file.h"
#include "fake_text.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/reaction.h"

static char folder[] = "/tmp/castgate-reactions-XXXXXX";
static char key_file[64];

static int set_up(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(key_file, sizeof key_file, "%s/gateway.json", folder);
    json_t *json = quoted(MEMBER);
    assert_int_equal(json_dump_file(json, key_file, 0), 0);
    assert_int_equal(chmod(key_file, 0600), 0);
    json_decref(json);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(key_file);
    return rmdir(folder);
}

/* A document with these reactions, beside a group, its member 52, and mappings of each kind. */
static const char *document(const char *reactions) {
    static char text[8192];
    snprintf(text, sizeof text,
             "{'security_groups':{'floor1':'%s','floor2':'%s'},'alerts':{'groups':['floor1'],'window':3},'mappings':["
             "{'name':'doors','group':'coap://224.0.1.187','security':'floor1','methods':['PUT','POST'],'path':'/d'},"
             "{'name':'plain','group':'coap://224.0.1.188','security':'none','block_size':64},"
             "{'name':'sealed','group':'coap://224.0.1.189','security':'relay'}],'reactions':%s}",
             key_file, key_file, reactions);
    return text;
}

#define WHEN          "'when':{'group':'floor1','path':'/fire'}"
#define DO            "'do':[{'mapping':'doors','method':'PUT','path':'/door','body':'open'}]"
#define DOES(command) "[{'name':'r'," WHEN ",'do':[" command "]}]"
#define WAITS(when)   "[{'name':'r','when':" when "," DO "}]"

static bool is_said_to_be_unused(const char *reactions, const char *pointer) {
    struct cg_mistakes warnings;
    cg_mistakes_init(&warnings);
    cg_settings_warnings(settings_of(document(reactions)), &warnings);
    bool found = false;
    for (const struct cg_mistake *one = warnings.first; one != NULL; one = one->next)
        found |= strcmp(one->pointer, pointer) == 0;
    cg_mistakes_fini(&warnings);
    return found;
}

/* A mapping may be there for alarms alone: nothing is wrong with it. */
static void who_is_commanded_is_used(void **state) {
    (void)state;
    assert_true(is_said_to_be_unused("[]", "/mappings/0/clients"));
    assert_false(is_said_to_be_unused("[{'name':'r'," WHEN "," DO "}]", "/mappings/0/clients"));
    assert_true(is_said_to_be_unused("[{'name':'r'," WHEN "," DO "}]", "/mappings/1/clients"));
}

static void a_reaction_becomes_what_it_says(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(document(
        "[{'name':'fire','when':{'group':'floor1','path':'/fi%72e/a%2Fb:c','method':'PUT','from':['52']},"
        "'do':[{'mapping':'doors','method':'PUT','path':'/door?all=1','body':'open','content_type':'text/plain'},"
        "{'mapping':'plain','method':'GET'}],'requests_per_minute':7},"
        "{'name':'any','when':{'group':'floor1','path':'/'}," DO "}]"));
    assert_int_equal(config->reaction_count, 2);
    assert_int_equal(config->alerts.window, 3);
    const struct cg_reaction *fire = cg_reaction_by_name(config, "fire"), *any = &config->reactions[1];
    assert_ptr_equal(fire, &config->reactions[0]);
    assert_string_equal(fire->when.group, "floor1");
    assert_string_equal(fire->when.path, "/fire/a%2Fb:c");
    assert_int_equal(fire->when.method, CG_PUT);
    assert_int_equal(fire->when.from_count, 1);
    assert_string_equal(fire->when.from[0], "52");
    assert_int_equal(fire->command_count, 2);
    assert_int_equal(fire->requests_per_minute, 7);
    const struct cg_command *command = &fire->commands[0];
    assert_string_equal(command->mapping, "doors");
    assert_true(cg_slice_is(command->whole, "/d/door"));
    assert_true(cg_slice_is(command->query, "all=1"));
    assert_string_equal(command->body, "open");
    assert_int_equal(command->options.count, 1);
    assert_int_equal(command->options.list[0].number, CG_OPT_CONTENT_FORMAT);
    assert_int_equal(command->options.list[0].value.len, 0); /* format 0 */
    assert_true(cg_slice_is(fire->commands[1].whole, "/plain"));
    assert_null(fire->commands[1].query.data);
    assert_string_equal(fire->commands[1].body, "");
    assert_string_equal(any->when.path, "/");
    assert_int_equal(any->when.method, CG_POST);
    assert_int_equal(any->when.from_count, 0);
    assert_int_equal(any->requests_per_minute, 60);
    assert_null(cg_reaction_by_name(config, "none"));
}

static struct cg_buf printed(const struct cg_config *config) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    cg_buf_put_u8(&text, 0);
    assert_false(text.failed);
    return text;
}

static void what_is_printed_reads_the_same(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(document(
        "[{'name':'fire','when':{'group':'floor1','path':'/fire','from':['52']},"
        "'do':[{'mapping':'doors','method':'POST','path':'/x?y','body':'\\u00e4','content_type':'application/json'}]},"
        "{'name':'any','when':{'group':'floor1','path':'/'}," DO "}]"));
    struct cg_buf first = printed(config);
    const struct cg_config *again = settings_of((const char *)first.data);
    struct cg_buf second = printed(again);
    assert_string_equal((const char *)first.data, (const char *)second.data);
    assert_non_null(strstr((const char *)first.data, "\"from\": ["));
    assert_int_equal(again->reactions[1].when.from_count, 0);
    assert_int_equal(again->reactions[0].commands[0].options.list[0].value.len, 1);
    cg_buf_fini(&first);
    cg_buf_fini(&second);
}

static void assert_mistake(const char *reactions, const char *pointer, const char *message) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted(document(reactions), &config, &mistakes), CG_E_FORMAT);
    if (mistakes.count != 1 || strcmp(mistakes.first->pointer, pointer) != 0 ||
        strstr(mistakes.first->message, message) == NULL) {
        print_all(&mistakes);
        fail_msg("%s: expected one mistake at %s: %s", reactions, pointer, message);
    }
    cg_mistakes_fini(&mistakes);
}

static void every_reference_is_checked(void **state) {
    (void)state;
    static const struct {
        const char *reactions, *pointer, *message;
    } rows[] = {
        {"{}", "/reactions", "must be an array"},
        {"[1]", "/reactions/0", "must be an object"},
        {"[{" WHEN "," DO "}]", "/reactions/0", "needs \"name\""},
        {"[{'name':'A'," WHEN "," DO "}]", "/reactions/0/name", "a name is 1 to 64"},
        {"[{'name':'r'," WHEN "," DO "},{'name':'r'," WHEN "," DO "}]", "/reactions/1/name",
         "is the same name as /reactions/0/name"},
        {"[{'name':'r'," DO "}]", "/reactions/0", "needs \"when\""},
        {"[{'name':'r'," WHEN "}]", "/reactions/0", "needs \"do\""},
        {"[{'name':'r'," WHEN ",'do':[]}]", "/reactions/0/do", "has no command"},
        {WAITS("{'path':'/fire'}"), "/reactions/0/when", "needs \"group\""},
        {WAITS("{'group':'floor1'}"), "/reactions/0/when", "needs \"path\""},
        {WAITS("{'group':'floor9','path':'/fire'}"), "/reactions/0/when/group", "\"floor9\" is not in"},
        {WAITS("{'group':'floor2','path':'/fire'}"), "/reactions/0/when/group", "floor2 are not taken"},
        {WAITS("{'group':'floor1','path':'fire'}"), "/reactions/0/when/path", "must begin with '/'"},
        {WAITS("{'group':'floor1','path':'/fire/'}"), "/reactions/0/when/path", "must not end in '/'"},
        {WAITS("{'group':'floor1','path':'/a/../b'}"), "/reactions/0/when/path", "\"..\""},
        {WAITS("{'group':'floor1','path':'/fire?x'}"), "/reactions/0/when/path", "percent-encoded"},
        {WAITS("{'group':'floor1','path':'/fire','method':'SHOUT'}"), "/reactions/0/when/method", "must be GET, POST"},
        {WAITS("{'group':'floor1','path':'/fire','method':'GET'}"), "/reactions/0/when/method", "must be POST, PUT"},
        {WAITS("{'group':'floor1','path':'/fire','form':[]}"), "/reactions/0/when/form", "did you mean \"from\"?"},
        {WAITS("{'group':'floor1','path':'/fire','from':[]}"), "/reactions/0/when/from", "names nobody"},
        {WAITS("{'group':'floor1','path':'/fire','from':['53']}"), "/reactions/0/when/from/0",
         "floor1 has no member \"53\""},
        {WAITS("{'group':'floor1','path':'/fire','from':['52','52']}"), "/reactions/0/when/from/1",
         "is the same member as /reactions/0/when/from/0"},
        {DOES("7"), "/reactions/0/do/0", "must be an object"},
        {DOES("{'method':'PUT'}"), "/reactions/0/do/0", "needs \"mapping\""},
        {DOES("{'mapping':'doors'}"), "/reactions/0/do/0", "needs \"method\""},
        {DOES("{'mapping':'windows','method':'PUT'}"), "/reactions/0/do/0/mapping", "\"windows\" is not in"},
        {DOES("{'mapping':'sealed','method':'POST'}"), "/reactions/0/do/0/mapping", "relays"},
        {DOES("{'mapping':'doors','method':'DELETE'}"), "/reactions/0/do/0/method",
         "doors does not let this method pass"},
        {DOES("{'mapping':'plain','method':'PUT'}"), "/reactions/0/do/0/method", "plain is a plain group"},
        {DOES("{'mapping':'doors','method':'PUT','path':'door'}"), "/reactions/0/do/0/path", "must begin with '/'"},
        {DOES("{'mapping':'doors','method':'PUT','path':'/a/./b'}"), "/reactions/0/do/0/path", "dot segment"},
        {DOES("{'mapping':'doors','method':'PUT','path':'/a b'}"), "/reactions/0/do/0/path", "percent-encoded"},
        {DOES("{'mapping':'doors','method':'PUT','path':'/%2emember/x'}"), "/reactions/0/do/0/path", "single member"},
        {DOES("{'mapping':'doors','method':'PUT','body':7}"), "/reactions/0/do/0/body", "must be a string"},
        {DOES("{'mapping':'plain','method':'FETCH','body':'12345678901234567890123456789012345678901234567890"
              "123456789012345'}"),
         "/reactions/0/do/0/body", "more than the 64 bytes"},
        {DOES("{'mapping':'doors','method':'PUT','content_type':'x/y'}"), "/reactions/0/do/0/content_type",
         "must be a media type"},
        {"[{'name':'r'," WHEN ",'requests_per_minute':1,'do':[{'mapping':'doors','method':'PUT'},{'mapping':'doors',"
         "'method':'PUT'}]}]",
         "/reactions/0/requests_per_minute", "is less than its 2 commands"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_mistake(rows[i].reactions, rows[i].pointer, rows[i].message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(who_is_commanded_is_used),
        settings_test(a_reaction_becomes_what_it_says),
        settings_test(what_is_printed_reads_the_same),
        cmocka_unit_test(every_reference_is_checked),
    };
    return cmocka_run_group_tests_name("settings/reactions", tests, set_up, tear_down);
}
