/* Every rule of the settings file: what breaks it, where the pointer points, what the message says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fake_text.h"

struct row {
    const char *document;
    const char *pointer;
    const char *message; /* a part of it */
};

#define HASH           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GROUP(uri)     "{'mappings':[{'name':'m','group':'" uri "','security':'none'}]}"
#define TARGETS(list)  "{'mappings':[{'name':'m','targets':" list ",'security':'none'}]}"
#define BARE(fields)   "{'mappings':[{" fields "}]}"
#define COMPLETE(more) MAPPING(",'members':['127.1.0.1'],'membership':'complete'" more)
#define CLIENTS(list)                                                                                                  \
    "{'clients':{'d':{'token_sha256':'" HASH "'}},'mappings':[{'name':'m','group':'coap://224.0.1.187',"               \
    "'security':'none','clients':" list "}]}"
#define CLOSED(list)                                                                                                   \
    "{'http':{'listen':['192.0.2.1:443'],'tls':{'certificate':'c','key':'k'}},'mappings':[{'name':'m',"                \
    "'group':'coap://224.0.1.187','security':'none','clients':" list "}]}"

#define COAP(list) "{'coap':{'listen':" list "}}"

/* Each document has exactly this one mistake. */
static void check(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct cg_config *config;
        struct cg_mistakes mistakes;
        cg_mistakes_init(&mistakes);
        int err = parse_quoted(rows[i].document, &config, &mistakes);
        bool good = err == CG_E_FORMAT && mistakes.count == 1 &&
                    strcmp(mistakes.first->pointer, rows[i].pointer) == 0 &&
                    strstr(mistakes.first->message, rows[i].message) != NULL;
        if (!good) print_error("row %zu: %s\n", i, rows[i].document);
        for (const struct cg_mistake *mistake = good ? NULL : mistakes.first; mistake != NULL; mistake = mistake->next)
            print_error("  %s: %s\n", mistake->pointer, mistake->message);
        assert_true(good);
        assert_null(config);
        cg_mistakes_fini(&mistakes);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof *(rows))

static void text_that_is_no_document(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "", "line 1, column 0: not JSON: '[' or '{' expected"},
        {"[]", "", "must be an object"},
        {"{\n  'http': {,}}", "", "line 2, column 12: not JSON: "},
        {"{'http':{}} x", "", "not JSON: end of file expected"},
        {"{'http':{},\n'http':{}}", "",
         "line 2, column 6: the same key twice in one object: duplicate object key near '\"http\"'"},
        {"{'group':{'port':1e999}}", "", "not JSON: "},
        {"{'state':'\xff'}", "", "not JSON: unable to decode byte 0xff"},
        {"{'state':'\\u0000'}", "", "not JSON: "},
    };
    CHECK(rows);
}

static void keys_and_kinds(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{'htpp':{}}", "/htpp", "unknown key; did you mean \"http\"?"},
        {"{'http':{'lisen':[]}}", "/http/lisen", "unknown key; did you mean \"listen\"?"},
        {"{'coap':{'a/b~c':1}}", "/coap/a~1b~0c", "unknown key; known here: listen, tls, all_nodes, options"},
        {"{'group':{'\\u001b[2J':1}}", "/group/?[2J", "unknown key; known here: interface, address, port"},
        {MAPPING(",'time_out':1"), "/mappings/0/time_out", "unknown key; did you mean \"timeout\"?"},

        {MAPPING(",'silence':204"), "/mappings/0/silence", "must be \"504\" or \"204\""},
        {MAPPING(",'silence':'200'"), "/mappings/0/silence", "must be \"504\" or \"204\""},
        {MAPPING(",'default_content_type':'application/x-www-form-urlencoded'"), "/mappings/0/default_content_type",
         "must be a media type that has a CoAP Content-Format"},
        {MAPPING(",'default_content_type':'application/oscore'"), "/mappings/0/default_content_type", "Content-Format"},
        {MAPPING(",'default_content_type':50"), "/mappings/0/default_content_type", "must be a string"},

        {"{'http':[]}", "/http", "must be an object"},
        {"{'http':{'listen':'127.0.0.1:80'}}", "/http/listen", "must be an array"},
        {"{'http':{'listen':[7]}}", "/http/listen/0", "must be a string such as \"127.0.0.1:8080\""},
        {"{'http':{'strict':1}}", "/http/strict", "must be true or false"},
        {"{'http':{'coap_payload':'yes'}}", "/http/coap_payload", "must be true or false"},
        {"{'admin':{'coap_payload':true}}", "/admin/coap_payload", "unknown key"},
        {"{'state':null}", "/state", "must be a string"},
        {"{'state':''}", "/state", "must be a file name"},
        {"{'clients':[]}", "/clients", "must be an object of clients by name"},
        {"{'mappings':{}}", "/mappings", "must be an array"},
        {"{'mappings':[1]}", "/mappings/0", "must be an object"},
        {"{'hooks':{'after_rekey':['rekeyed','x']}}", "/hooks/after_rekey/0", "a program's file name from the root on"},
        {"{'hooks':{'after_rekey':['/bin/x',7]}}", "/hooks/after_rekey/1", "must be a string"},
        {"{'hooks':{'seconds':0}}", "/hooks/seconds", "from 1 to 3600"},
        {"{'plugins':{'load':'x.so'}}", "/plugins/load", "must be an array"},
        {"{'plugins':{'load':[7]}}", "/plugins/load/0", "must be a string"},
        {"{'plugins':{'load':['a.so','sub/x.so']}}", "/plugins/load/1", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['../x.so']}}", "/plugins/load/0", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['.so']}}", "/plugins/load/0", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['.x.so']}}", "/plugins/load/0", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['x']}}", "/plugins/load/0", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['x\\n.so']}}", "/plugins/load/0", "must be the name of a file in plugins.folder"},
        {"{'plugins':{'load':['x.so','y.so','x.so']}}", "/plugins/load/2", "is named twice"},
        {"{'coap':{'listen':['coap//127.0.0.1']}}", "/coap/listen/0", "must be a URI to listen at, such as"},
    };
    CHECK(rows);
}

static void numbers_and_sections(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{'group':{'hops':0}}", "/group/hops", "must be a whole number from 1 to 255"},
        {"{'group':{'hops':256}}", "/group/hops", "from 1 to 255"},
        {"{'group':{'hops':1.0}}", "/group/hops", "from 1 to 255"},
        {"{'group':{'hops':'1'}}", "/group/hops", "from 1 to 255"},
        {"{'group':{'port':65536}}", "/group/port", "from 0 to 65535"},
        {"{'group':{'port':-1}}", "/group/port", "from 0 to 65535"},
        {"{'group':{'nstart':0}}", "/group/nstart", "from 1 to 65535"},
        {"{'group':{'ack_timeout':0.09}}", "/group/ack_timeout", "must be a number of seconds from 0.1 to 60"},
        {"{'group':{'ack_timeout':60.5}}", "/group/ack_timeout", "from 0.1 to 60"},
        {"{'group':{'ack_timeout':'2'}}", "/group/ack_timeout", "from 0.1 to 60"},
        {"{'group':{'prefixes':'10.0.0.0/8'}}", "/group/prefixes", "array"},
        {"{'group':{'prefixes':['10.0.0.0/8',7]}}", "/group/prefixes/1", "string"},
        {"{'group':{'prefixes':['10.0.0.1/8']}}", "/group/prefixes/0", "beyond its length"},
        {"{'group':{'prefixes':['2001:db8::/129']}}", "/group/prefixes/0", "range"},
        {"{'group':{'prefixes':['ff02::/16']}}", "/group/prefixes/0", "range"},
        {"{'group':{'send_budgets':{}}}", "/group/send_budgets", "array"},
        {"{'group':{'send_budgets':['eth1']}}", "/group/send_budgets/0", "object"},
        {"{'group':{'send_budgets':[{'interface':'eth1','requests':8}]}}", "/group/send_budgets/0", "\"seconds\""},
        {"{'group':{'send_budgets':[{'interface':null,'requests':8,'seconds':9}]}}", "/group/send_budgets/0/interface",
         "name"},
        {"{'group':{'send_budgets':[{'interface':'a','requests':0,'seconds':9}]}}", "/group/send_budgets/0/requests",
         "from 1 to 10000"},
        {"{'group':{'send_budgets':[{'interface':'a','requests':1,'seconds':0.5}]}}", "/group/send_budgets/0/seconds",
         "from 1 to 3600"},
        {"{'group':{'send_budgets':[{'interface':'a','requests':1,'seconds':1},"
         "{'interface':'a','requests':2,'seconds':2}]}}",
         "/group/send_budgets/1", "second budget"},
        {"{'group':{'receive_buffer':1}}", "/group/receive_buffer", "from 4096 to 1073741824"},
        {"{'group':{'interface':''}}", "/group/interface", "must be an interface's name"},
        {"{'group':{'interface':'a b'}}", "/group/interface", "must be an interface's name"},
        {"{'group':{'interface':'eth0:1'}}", "/group/interface",
         "is an address's label; the interface is \"eth0\", and all its addresses count"},
        {"{'group':{'interface':'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
         "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'}}",
         "/group/interface", "at most 127 characters"},
        {"{'group':{'address':'224.0.1.187'}}", "/group/address",
         "must be an address of this host, without port, or null"},
        {"{'group':{'address':'127.0.0.1:5'}}", "/group/address", "without port"},
        {"{'group':{'address':'eth0'}}", "/group/address", "must be an address of this host"},
        {"{'state':'/s','seal_key':'/s/seal.key'}", "/seal_key", "outside the state folder"},
        {"{'state':'s','seal_key':'s/keys/seal.key'}", "/seal_key", "outside the state folder"},
        {"{'seal_key':''}", "/seal_key", "must be a file name"},
        {"{'history_days':36501}", "/history_days", "from 0 to 36500"},
        {"{'limits':{'exchanges':0}}", "/limits/exchanges", "from 1 to 1000000"},
        {"{'limits':{'answer':9223372036854775807}}", "/limits/answer", "from 1024 to 1073741824"},
        {"{'coap':{'options':{'multicast_timeout':3}}}", "/coap/options/multicast_timeout",
         "elective option that is unsafe"},
        {"{'coap':{'options':{'reply_from':2}}}", "/coap/options/reply_from", "elective option that is safe"},
        {"{'coap':{'options':{'group_etag':60}}}", "/coap/options/group_etag", "belongs to the cache key"},
        {"{'coap':{'options':{'group_etag':248}}}", "/coap/options", "must be different numbers"},
        {"{'coap':{'options':{'uri_path_abbrev':12}}}", "/coap/options/uri_path_abbrev",
         "a critical option that is safe to forward (1 modulo 4)"},
        {"{'coap':{'options':{'uri_path_abbrev':29}}}", "/coap/options/uri_path_abbrev", "belongs to the cache key"},
        {"{'coap':{'options':{'multicast_timeout':258}}}", "/coap/options/multicast_timeout",
         "258 is the number of another option of CoAP"},
        {"{'coap':{'options':{'uri_path_abbrev':9}}}", "/coap/options/uri_path_abbrev", "9 is the number of another"},
        {"{'coap':{'options':{'proxy_cri':35}}}", "/coap/options/proxy_cri", "35 is the number of another"},
        {"{'coap':{'options':{'proxy_cri':234}}}", "/coap/options/proxy_cri",
         "a critical option that is unsafe to forward (3 modulo 4)"},
        {"{'coap':{'options':{'proxy_scheme_number':237}}}", "/coap/options/proxy_scheme_number", "unsafe"},
        {"{'coap':{'options':{'proxy_cri':239}}}", "/coap/options", "proxy_cri and proxy_scheme_number must be"},
    };
    CHECK(rows);
}

static void listeners(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{'http':{'listen':['localhost:8080']}}", "/http/listen/0", "must be an address and port to listen on"},
        {"{'http':{'listen':['127.0.0.1']}}", "/http/listen/0", "must be an address and port to listen on"},
        {"{'http':{'listen':['224.0.1.187:80']}}", "/http/listen/0", "must be an address and port to listen on"},
        {"{'http':{'listen':[{}]}}", "/http/listen/0", "needs \"address\""},
        {"{'http':{'listen':[{'address':'x'}]}}", "/http/listen/0/address", "must be an address and port"},
        {"{'http':{'listen':[{'address':'127.0.0.1:1','insecure':0}]}}", "/http/listen/0/insecure",
         "must be true or false"},
        {"{'http':{'listen':['127.0.0.1:1','0.0.0.0:8080']}}", "/http/listen/1",
         "0.0.0.0:8080 can be reached by others: needs \"tls\" in \"http\", or, on a network that is trusted"},
        {"{'admin':{'listen':['[2001:db8::1]:8081']}}", "/admin/listen/0", "needs \"tls\" in \"admin\""},
        {"{'http':{'listen':['127.0.0.1:1','127.0.0.1:1']}}", "/http/listen/1",
         "is the same address and port as /http/listen/0"},
        {"{'admin':{'listen':['127.0.0.1:8080']}}", "/admin/listen/0",
         "is the same address and port as /http/listen/0"},
        {COAP("['coap://localhost:5683']"), "/coap/listen/0", "an address of this host, not a name"},
        {COAP("['coap://127.0.0.1/x']"), "/coap/listen/0", "a listener has no path"},
        {COAP("['coap://127.0.0.1?x']"), "/coap/listen/0", "a listener has no path"},
        {COAP("['coap+ws://127.0.0.1']"), "/coap/listen/0", "WebSockets"},
        {COAP("['coap://224.0.1.187']"), "/coap/listen/0", "all_nodes"},
        {COAP("['http://127.0.0.1']"), "/coap/listen/0", "such as \"coap://127.0.0.1:5683\""},
        {COAP("[{'address':'coap://[fe80::1%25eth0]','insecure':true}]"), "/coap/listen/0/address",
         "an interface's index"},
        {COAP("[{}]"), "/coap/listen/0", "needs \"address\""},
        {COAP("[{'address':7}]"), "/coap/listen/0/address", "must be a string"},
        {COAP("[7]"), "/coap/listen/0", "or an object with \"address\""},
        {COAP("7"), "/coap/listen", "must be an array"},
        {COAP("[{'address':'coap://127.0.0.1','insecure':0}]"), "/coap/listen/0/insecure", "must be true or false"},
        {COAP("['coap://127.0.0.1',{'address':'coap://127.0.0.1:5683'}]"), "/coap/listen/1",
         "is the same address and port as /coap/listen/0"},
        {COAP("['coap://127.0.0.1:5684','coaps://127.0.0.1'],'tls':{'certificate':'c','key':'k'}"), "/coap/listen/1",
         "is the same address and port as /coap/listen/0"},
        {COAP("['coap://0.0.0.0']"), "/coap/listen/0",
         "coap://0.0.0.0:5683 can be reached by others: listen by coaps or coaps+tcp, have a client with "
         "\"oscore\", or, on a network that is trusted, say "
         "{\"address\": \"coap://0.0.0.0:5683\", \"insecure\": true}"},
        {COAP("['coaps://127.0.0.1']"), "/coap/listen/0",
         "coaps://127.0.0.1:5684 needs a certificate and key, in \"tls\" of \"coap\", or a client with \"psk\""},
        {COAP("[],'tls':{'key':'k'}"), "/coap/tls", "needs \"certificate\" and \"key\""},
        {COAP("[],'all_nodes':[null]"), "/coap/all_nodes/0", "must be an interface's name"},
        {COAP("[],'all_nodes':['eth0','eth0:1']"), "/coap/all_nodes/1", "an address's label"},
        {"{'http':{'tls':{'certificate':'c'}}}", "/http/tls", "needs \"certificate\" and \"key\""},
        {"{'http':{'tls':{'certificate':'c','key':'k','ca':'x'}}}", "/http/tls/ca", "unknown key"},
        {"{'http':{'hosts':['a..b']}}", "/http/hosts/0", "must be a host name or address"},
        {"{'http':{'hosts':['a','b c']}}", "/http/hosts/1", "must be a host name or address"},
        {"{'http':{'hosts':['a:0']}}", "/http/hosts/0", "with or without port"},
        {"{'http':{'hosts':['[::1']}}", "/http/hosts/0", "must be a host name or address"},
        {"{'http':{'hosts':['[127.0.0.1]']}}", "/http/hosts/0", "must be a host name or address"},
        {"{'http':{'origins':'https://a.example'}}", "/http/origins", "must be an array"},
        {"{'http':{'origins':[7]}}", "/http/origins/0", "must be a string"},
        {"{'http':{'origins':['*']}}", "/http/origins/0", "must name one origin"},
        {"{'http':{'origins':['https://*.example']}}", "/http/origins/0", "must name one origin"},
        {"{'http':{'origins':['https://a.example','null']}}", "/http/origins/1", "\"null\" is what any page"},
        {"{'http':{'origins':['https://a.example/']}}", "/http/origins/0", "without path or final slash"},
        {"{'http':{'origins':['a.example']}}", "/http/origins/0", "must be an origin such as"},
        {"{'http':{'origins':['https://']}}", "/http/origins/0", "must be an origin such as"},
        {"{'http':{'origins':['https://a.example:0']}}", "/http/origins/0", "must be an origin such as"},
        {"{'http':{'origins':['https://user@a.example']}}", "/http/origins/0", "must be an origin such as"},
        {"{'http':{'origins':['https://b\u00fccher.example']}}", "/http/origins/0", "must be an origin such as"},
        {"{'http':{'origins':['']}}", "/http/origins/0", "must be an origin such as"},
        {"{'admin':{'origins':[]}}", "/admin/origins", "unknown"},
        {"{'http':{'trusted_proxies':['proxy.example']}}", "/http/trusted_proxies/0", "must be a proxy's address"},
        {"{'http':{'trusted_proxies':['10.0.3.1/24']}}", "/http/trusted_proxies/0", "no bit set beyond"},
        {"{'http':{'trusted_proxies':['::1','0.0.0.0/0']}}", "/http/trusted_proxies/1", "is everybody"},
        {"{'http':{'trusted_proxies':['224.0.0.1']}}", "/http/trusted_proxies/0", "must be a proxy's address"},
    };
    CHECK(rows);
}

static void clients(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{'clients':{'D':{'token_sha256':'" HASH "'}}}", "/clients/D", "a name is 1 to 64 of a-z"},
        {"{'clients':{'':{'token_sha256':'" HASH "'}}}", "/clients/", "a name is 1 to 64 of a-z"},
        {"{'clients':{'anonymous':{'token_sha256':'" HASH "'}}}", "/clients/anonymous", "choose another name"},
        {"{'clients':{'d':{}}}", "/clients/d", "needs \"token_sha256\", \"certificate_sha256\", \"psk\" or \"oscore\""},
        {"{'clients':{'d':{'token_sha256':'abc'}}}", "/clients/d/token_sha256", "64 hexadecimal digits"},
        {"{'clients':{'d':{'certificate_sha256':'" HASH "00'}}}", "/clients/d/certificate_sha256",
         "64 hexadecimal digits"},
        {"{'clients':{'d':{'token_sha256':'" HASH "'},'e':{'token_sha256':'" HASH "'}}}", "/clients/e/token_sha256",
         "is the same as /clients/d/token_sha256"},
        {"{'clients':{'d':{'token_sha256':'" HASH "','oscore':'f'}}}", "/clients/d/oscore",
         "f: cannot be read: No such file or directory"},
    };
    CHECK(rows);
}

/* R1: no unsecured fan-out by default. */
static void security_must_be_said_R1(void **state) {
    (void)state;
    static const struct row rows[] = {
        {BARE("'name':'m','group':'coap://224.0.1.187'"), "/mappings/0",
         "a mapping needs \"security\": a security group's name, or \"none\" written out"},
        {BARE("'name':'m','group':'coap://224.0.1.187','security':null"), "/mappings/0/security", "must be a string"},
        {BARE("'name':'m','group':'coap://224.0.1.187','security':'floor3'"), "/mappings/0/security",
         "the security group \"floor3\" is not in \"security_groups\""},
        {"{'security_groups':{'Floor':'nowhere.json'}}", "/security_groups/Floor", "a name is 1 to 64"},
        {"{'security_groups':{'floor3':'nowhere.json'}}", "/security_groups/floor3", "nowhere.json"},
        {"{'security_groups':{'floor3':{}}}", "/security_groups/floor3", "needs \"file\""},
        {"{'security_groups':[]}", "/security_groups", "must be an object"},
        {BARE("'name':'m','group':'coap://224.0.1.187','security':'relay','check_signature':'nowhere.json'"),
         "/mappings/0/check_signature", "nowhere.json"},
    };
    CHECK(rows);
}

/* R2: DTLS is not for multicast. R34: never port 5684. R43: no TCP, TLS, WebSocket. */
static void group_uris_R2_R34_R43(void **state) {
    (void)state;
    static const struct row rows[] = {
        {GROUP("coaps://224.0.1.187"), "/mappings/0/group", "DTLS does not protect multicast"},
        {GROUP("coaps://[ff35:30:2001:db8::23]"), "/mappings/0/group", "DTLS does not protect multicast"},
        {GROUP("coap://224.0.1.187:5684"), "/mappings/0/group", "port 5684 belongs to DTLS"},
        {GROUP("coap://[ff02::fd]:5684/a"), "/mappings/0/group", "port 5684 belongs to DTLS"},
        {GROUP("coap+tcp://224.0.1.187"), "/mappings/0/group", "a group is reached by UDP only"},
        {GROUP("coaps+tcp://224.0.1.187"), "/mappings/0/group", "a group is reached by UDP only"},
        {GROUP("coap+ws://224.0.1.187"), "/mappings/0/group", "a group is reached by UDP only"},
        {GROUP("coaps+ws://224.0.1.187"), "/mappings/0/group", "a group is reached by UDP only"},
        {GROUP("http://224.0.1.187"), "/mappings/0/group", "does not begin with a coap scheme"},
        {GROUP("coap://127.0.0.1"), "/mappings/0/group", "the address is not a multicast address"},
        {GROUP("coap://[2001:db8::1]"), "/mappings/0/group", "the address is not a multicast address"},
        {GROUP("coap://lights.example:5684"), "/mappings/0/group", "port 5684 belongs to DTLS"},
        {GROUP("coap://%ff.example"), "/mappings/0/group", "the host is longer than 255 bytes or no UTF-8"},
        {GROUP("coap://[ff02::fd%25eth1]"), "/mappings/0/group", "write the zone as \"interface\": \"eth1\""},
        {GROUP("coap://224.0.1.187/a/../b"), "/mappings/0/group", "\"..\" segment"},
        {GROUP("coap://224.0.1.187/#x"), "/mappings/0/group", "fragment"},
        {GROUP("coap://u@224.0.1.187/"), "/mappings/0/group", "user information"},
        {GROUP("224.0.1.187"), "/mappings/0/group", "does not begin with a coap scheme"},
        {BARE("'name':'m','group':5,'security':'none'"), "/mappings/0/group", "must be a string"},
        {BARE("'name':'m','security':'none'"), "/mappings/0", "a mapping needs \"group\" or \"targets\""},
        {MAPPING(",'targets':[{'group':'coap://224.0.1.188'}]"), "/mappings/0/targets",
         "\"group\" or \"targets\", not both"},
        {TARGETS("[]"), "/mappings/0/targets", "names no group"},
        {TARGETS("[{}]"), "/mappings/0/targets/0", "needs \"group\" or \"next_hop\""},
        {TARGETS("[{'next_hop':'http://192.0.2.1'}]"), "/mappings/0/targets/0/next_hop", "scheme"},
        {TARGETS("[{'next_hop':'coap+ws://192.0.2.1'}]"), "/mappings/0/targets/0/next_hop", "must be a coap"},
        {TARGETS("[{'next_hop':'coaps://192.0.2.1'}]"), "/mappings/0/targets/0", "needs \"credentials\""},
        {TARGETS("[{'next_hop':'coaps+tcp://192.0.2.1','credentials':'gw2'}]"), "/mappings/0/targets/0/credentials",
         "\"gw2\" is not in \"credentials\""},
        {"{'credentials':{'a':{'ca':'ca.pem'}},'mappings':[{'name':'m','security':'none','targets':"
         "[{'next_hop':'coap+tcp://192.0.2.1','credentials':'a'}]}]}",
         "/mappings/0/targets/0/credentials", "protects nothing here"},
        {"{'credentials':[]}", "/credentials", "must be an object"},
        {"{'credentials':{'A':{'ca':'ca.pem'}}}", "/credentials/A", "a name is"},
        {"{'credentials':{'a':{}}}", "/credentials/a", "needs either \"psk\" or \"ca\""},
        {"{'credentials':{'a':{'ca':'c','key':'k'}}}", "/credentials/a", "both \"certificate\" and \"key\""},
        {"{'credentials':{'a':{'psk':{'identity':'i','key_file':'k'},'certificate':'c','key':'k'}}}", "/credentials/a",
         "goes with \"ca\""},
        {"{'credentials':{'a':{'psk':{'key_file':'k'}}}}", "/credentials/a/psk", "needs \"identity\""},
        {"{'credentials':{'a':{'psk':{'identity':'i'}}}}", "/credentials/a/psk", "needs \"key_file\""},
        {"{'credentials':{'a':{'psk':{'identity':'','key_file':'k'}}}}", "/credentials/a/psk/identity", "1 to 128"},
        {TARGETS("[{'next_hop':'coap://%ff.example'}]"), "/mappings/0/targets/0/next_hop", "no UTF-8"},
        {TARGETS("[{'next_hop':'coap://224.0.1.187/a'}]"), "/mappings/0/targets/0/next_hop", "one gateway's address"},
        {TARGETS("[{'next_hop':'coap://192.0.2.1/a/../b'}]"), "/mappings/0/targets/0/next_hop", "\"..\" segment"},
        {TARGETS("[{'next_hop':'coap://192.0.2.1/a','group':'coap://224.0.1.187'}]"), "/mappings/0/targets/0/next_hop",
         "has neither a path nor a query"},
        {TARGETS("[{'next_hop':'coap://192.0.2.1/a','round_trip':0}]"), "/mappings/0/targets/0/round_trip",
         "from 1 to 300"},
        {TARGETS("[{'next_hop':'coap://192.0.2.1/a'},{'next_hop':'coap://192.0.2.1:5683/a'}]"), "/mappings/0/targets/1",
         "is the same group by the same next hop as /mappings/0/targets/0"},
        {"{'mappings':[{'name':'m','security':'relay','clients':[],'targets':[{'next_hop':'coap://192.0.2.1/a'}]}]}",
         "/mappings/0/targets/0", "hides its path from the next hop"},
        {"{'mappings':[{'name':'m','security':'none','cache':true,'targets':[{'next_hop':'coap://192.0.2.1/a'}]}]}",
         "/mappings/0/cache", "the next gateway keeps answers"},
        {"{'mappings':[{'name':'m','security':'none','stand_in':'members','targets':[{'next_hop':'coap://192.0.2.1/"
         "a'}]}]}",
         "/mappings/0/targets/0", "known to the next hop alone"},
        {TARGETS("[{'group':'coaps://224.0.1.187'}]"), "/mappings/0/targets/0/group",
         "DTLS does not protect multicast"},
        {TARGETS("[{'group':'coap://224.0.1.187'},{'group':'coap://224.0.1.187:5683/a'}]"), "/mappings/0/targets/1",
         "is the same group on the same interface as /mappings/0/targets/0"},
    };
    CHECK(rows);
}

static void names_and_paths(void **state) {
    (void)state;
    static const struct row rows[] = {
        {BARE("'path':'/m','group':'coap://224.0.1.187','security':'none'"), "/mappings/0",
         "a mapping needs a \"name\""},
        {BARE("'name':'M','path':'/m','group':'coap://224.0.1.187','security':'none'"), "/mappings/0/name",
         "a name is 1 to 64"},
        {BARE("'name':'-m','path':'/m','group':'coap://224.0.1.187','security':'none'"), "/mappings/0/name",
         "a name is 1 to 64"},
        {MAPPING(",'path':'m'"), "/mappings/0/path", "the path must begin with '/'"},
        {MAPPING(",'path':''"), "/mappings/0/path", "the path must begin with '/'"},
        {MAPPING(",'path':'/m/'"), "/mappings/0/path", "the path must not end in '/'"},
        {MAPPING(",'path':'//m'"), "/mappings/0/path", "empty segment"},
        {MAPPING(",'path':'/a/./m'"), "/mappings/0/path", "\".\" or \"..\" segment"},
        {MAPPING(",'path':'/..'"), "/mappings/0/path", "\".\" or \"..\" segment"},
        {MAPPING(",'path':'/a/%2E%2e/m'"), "/mappings/0/path", "\".\" or \"..\" segment"},
        {MAPPING(",'path':'/a/.member/m'"), "/mappings/0/path", "the segment \".member\", which leads to single"},
        {MAPPING(",'path':'/%2emember'"), "/mappings/0/path", "the segment \".member\", which leads to single"},
        {MAPPING(",'path':'/a b'"), "/mappings/0/path", "has a character that must be percent-encoded"},
        {MAPPING(",'path':'/a?b'"), "/mappings/0/path", "has a character that must be percent-encoded"},
        {MAPPING(",'path':'/a#b'"), "/mappings/0/path", "has a character that must be percent-encoded"},
        {MAPPING(",'path':'/%4'"), "/mappings/0/path", "is badly encoded"},
        {MAPPING(",'path':'/hc'"), "/mappings/0/path", "the gateway's own paths"},
        {MAPPING(",'path':'/%68c/x'"), "/mappings/0/path", "the gateway's own paths"},
        {MAPPING(",'path':'/.well-known/core'"), "/mappings/0/path", "the gateway's own paths"},
        {MAPPING(",'host':'a:80'"), "/mappings/0/host", "must be a host name or address"},
        {"{'mappings':[{'name':'m','path':'/a','group':'coap://224.0.1.187','security':'none'},"
         "{'name':'m','path':'/b','group':'coap://224.0.1.187','security':'none'}]}",
         "/mappings/1/name", "is the same name as /mappings/0/name"},
        {"{'mappings':[{'name':'m','path':'/a~','group':'coap://224.0.1.187','security':'none'},"
         "{'name':'n','path':'/%61%7e','group':'coap://224.0.1.187','security':'none'}]}",
         "/mappings/1/path", "is the same path at the same host as /mappings/0/path"},
        {"{'mappings':[{'name':'m','host':'H.example','path':'/a','group':'coap://224.0.1.187','security':'none'},"
         "{'name':'a','host':'h.EXAMPLE','group':'coap://224.0.1.187','security':'none'}]}",
         "/mappings/1", "is the same path at the same host as /mappings/0/path"},
    };
    CHECK(rows);
}

/* R58: plain groups are for reading only, unless the settings say otherwise. */
static void methods_R58(void **state) {
    (void)state;
    static const struct row rows[] = {
        {MAPPING(",'methods':['GET','PUT']"), "/mappings/0/methods", "takes GET and FETCH only, unless"},
        {MAPPING(",'methods':['GET','PUT'],'unsafe_methods':false"), "/mappings/0/methods",
         "takes GET and FETCH only, unless"},
        {MAPPING(",'methods':['iPATCH']"), "/mappings/0/methods", "takes GET and FETCH only, unless"},
        {MAPPING(",'methods':[]"), "/mappings/0/methods", "names no method"},
        {MAPPING(",'methods':['get']"), "/mappings/0/methods/0",
         "must be GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH"},
        {MAPPING(",'methods':'GET'"), "/mappings/0/methods", "must be an array"},
        {MAPPING(",'unsafe_methods':'yes'"), "/mappings/0/unsafe_methods", "must be true or false"},
    };
    CHECK(rows);
}

static void times_and_counts(void **state) {
    (void)state;
    static const struct row rows[] = {
        {MAPPING(",'timeout':0"), "/mappings/0/timeout", "above 0 and at most 3600"},
        {MAPPING(",'timeout':-1"), "/mappings/0/timeout", "above 0 and at most 3600"},
        {MAPPING(",'timeout':1e-9"), "/mappings/0/timeout", "above 0 and at most 3600"},
        {MAPPING(",'timeout':'2'"), "/mappings/0/timeout", "above 0 and at most 3600"},
        {MAPPING(",'timeout':61"), "/mappings/0/timeout", "is above \"max_timeout\", which is 60"},
        {MAPPING(",'timeout':5,'max_timeout':4.5"), "/mappings/0/timeout", "is above \"max_timeout\", which is 4.5"},
        {MAPPING(",'max_timeout':3601"), "/mappings/0/max_timeout", "above 0 and at most 3600"},
        {MAPPING(",'leisure':-1"), "/mappings/0/leisure", "from 0 to 3600"},
        {MAPPING(",'leisure':true"), "/mappings/0/leisure", "from 0 to 3600"},
        {MAPPING(",'hops':0"), "/mappings/0/hops", "from 1 to 255"},
        {MAPPING(",'interface':'a/b'"), "/mappings/0/interface", "must be an interface's name"},
        {MAPPING(",'max_answers':0"), "/mappings/0/max_answers", "from 1 to 1000000"},
        {MAPPING(",'budget':{'requests_per_minute':-1}"), "/mappings/0/budget/requests_per_minute",
         "from 0 to 1000000"},
        {MAPPING(",'budget':5"), "/mappings/0/budget", "must be an object"},
        {MAPPING(",'repair':{'unicast':1}"), "/mappings/0/repair/unicast", "must be true or false"},
        {MAPPING(",'repair':{'multicast':true}"), "/mappings/0/repair/multicast", "unknown key"},
        {MAPPING(",'repair':{'large_requests':'no'}"), "/mappings/0/repair/large_requests", "must be true or false"},
        {MAPPING(",'block_size':0"), "/mappings/0/block_size", "must be null, 16, 32"},
        {MAPPING(",'block_size':48"), "/mappings/0/block_size", "must be null, 16, 32"},
        {MAPPING(",'block_size':2048"), "/mappings/0/block_size", "must be null, 16, 32"},
        {MAPPING(",'block_size':'64'"), "/mappings/0/block_size", "must be null, 16, 32"},
        {MAPPING(",'block_size':64.0"), "/mappings/0/block_size", "must be null, 16, 32"},
        {MAPPING(",'forward':null"), "/mappings/0/forward", "must be true or false"},
        {"{'mappings':[{'name':'a','security':'none','forward':true,'targets':[{'group':'coap://224.0.1.187'},"
         "{'group':'coap://224.0.1.188'}]}]}",
         "/mappings/0/forward", "one \"group\""},
        {"{'mappings':[{'name':'a','security':'none','forward':true,'group':'coap://224.0.1.187/x?y'}]}",
         "/mappings/0/forward", "no query"},
        {"{'mappings':[{'name':'a','security':'none','forward':true,'group':'coap://224.0.1.187/x'},"
         "{'name':'b','security':'none','forward':true,'group':'coap://224.0.1.187:5683/x/'}]}",
         "/mappings/1/forward", "/mappings/0/forward"},
        {MAPPING(",'cache':1"), "/mappings/0/cache", "must be true or false"},
        {MAPPING(",'cache':true"), "/mappings/0/cache", "needs \"members\" and \"membership\": \"complete\""},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'relay','cache':true}]}",
         "/mappings/0/cache", "cannot be with \"relay\""},
        {MAPPING(",'aggregate':1"), "/mappings/0/aggregate", "must be true or false"},
        {MAPPING(",'record_payloads':'yes'"), "/mappings/0/record_payloads", "must be true, false or null"},
        {MAPPING(",'anonymise':true,'stand_in':'group'"), "/mappings/0/anonymise", "needs \"stand_in\": \"members\""},
        {MAPPING(",'stand_in':1"), "/mappings/0/stand_in", "must be \"group\" or \"members\""},
        {MAPPING(",'check_signature':'f'"), "/mappings/0/check_signature", "only a mapping with"},
    };
    CHECK(rows);
}

static void members_and_finish(void **state) {
    (void)state;
    static const struct row rows[] = {
        {MAPPING(",'members':['lamp']"), "/mappings/0/members/0", "must be a member's unicast address"},
        {MAPPING(",'members':['224.0.1.187']"), "/mappings/0/members/0", "must be a member's unicast address"},
        {MAPPING(",'members':['0.0.0.0:1']"), "/mappings/0/members/0", "must be a member's unicast address"},
        {MAPPING(",'members':['127.1.0.1:0']"), "/mappings/0/members/0", "must be a member's unicast address"},
        {MAPPING(",'members':['127.1.0.1:5684']"), "/mappings/0/members/0", "port 5684 belongs to DTLS"},
        {MAPPING(",'members':[1]"), "/mappings/0/members/0", "or an object with \"address\""},
        {MAPPING(",'members':[{'name':'a'}]"), "/mappings/0/members/0", "needs \"address\""},
        {MAPPING(",'members':[{'name':'A','address':'127.1.0.1'}]"), "/mappings/0/members/0/name", "a name is 1 to 64"},
        {MAPPING(",'members':[{'adress':'127.1.0.1','address':'127.1.0.1'}]"), "/mappings/0/members/0/adress",
         "did you mean \"address\"?"},
        {MAPPING(",'members':[{'address':'127.1.0.1','multicast':'no'}]"), "/mappings/0/members/0/multicast",
         "must be true or false"},
        {MAPPING(",'members':['127.1.0.1',{'address':'127.1.0.1:5683'}]"), "/mappings/0/members/1/address",
         "is the same address as /mappings/0/members/0"},
        {MAPPING(",'members':[{'name':'a','address':'127.1.0.1'},{'name':'a','address':'127.1.0.2'}]"),
         "/mappings/0/members/1/name", "is the same name as /mappings/0/members/0/name"},
        {MAPPING(",'membership':'complete'"), "/mappings/0/membership", "but there are none"},
        {MAPPING(",'membership':'closed'"), "/mappings/0/membership", "must be \"complete\" or \"open\""},
        {MAPPING(",'finish':'all'"), "/mappings/0/finish",
         "\"all\" needs \"members\" and \"membership\": \"complete\""},
        {MAPPING(",'members':['127.1.0.1'],'finish':'all'"), "/mappings/0/finish", "\"all\" needs"},
        {MAPPING(",'finish':'quorum:0.5'"), "/mappings/0/finish", "a quorum needs \"members\""},
        {COMPLETE(",'finish':'quorum:0'"), "/mappings/0/finish", "must be \"all\", \"deadline\", \"quorum:0.9\""},
        {COMPLETE(",'finish':'quorum:1.1'"), "/mappings/0/finish", "(above 0, at most 1)"},
        {COMPLETE(",'finish':'quorum:1e-1'"), "/mappings/0/finish", "(above 0, at most 1)"},
        {COMPLETE(",'finish':'quorum:.5'"), "/mappings/0/finish", "(above 0, at most 1)"},
        {COMPLETE(",'finish':'quorum:0.000000001'"), "/mappings/0/finish", "(above 0, at most 1)"},
        {COMPLETE(",'finish':'quorum:nan'"), "/mappings/0/finish", "(above 0, at most 1)"},
        {COMPLETE(",'finish':'count:0'"), "/mappings/0/finish", "\"count:12\""},
        {COMPLETE(",'finish':'count:x'"), "/mappings/0/finish", "\"count:12\""},
        {COMPLETE(",'finish':'none'"), "/mappings/0/finish", "\"count:12\""},
        {COMPLETE(",'finish':1"), "/mappings/0/finish", "\"count:12\""},
        {MAPPING(",'finish':'count:12','max_answers':11"), "/mappings/0/finish",
         "is above \"max_answers\", which is 11"},
    };
    CHECK(rows);
}

static void grants(void **state) {
    (void)state;
    static const struct row rows[] = {
        {CLIENTS("['e']"), "/mappings/0/clients/0", "the client \"e\" is not defined in \"clients\""},
        {CLIENTS("[{'name':'e'}]"), "/mappings/0/clients/0/name", "the client \"e\" is not defined in \"clients\""},
        {CLIENTS("[{}]"), "/mappings/0/clients/0", "needs \"name\""},
        {CLIENTS("[1]"), "/mappings/0/clients/0", "must be an object"},
        {CLIENTS("['d',{'name':'d'}]"), "/mappings/0/clients/1", "is the same client as /mappings/0/clients/0"},
        {CLIENTS("[{'name':'d','methods':['PUT']}]"), "/mappings/0/clients/0/methods",
         "that the mapping does not let pass"},
        {CLIENTS("[{'name':'d','methods':[]}]"), "/mappings/0/clients/0/methods", "names no method"},
        {MAPPING(",'unsafe_methods':true,'clients':[{'name':'anonymous','methods':['GET','PUT']}]"),
         "/mappings/0/clients/0/methods", "anonymous clients may only GET and FETCH"},
        {MAPPING(",'unsafe_methods':true,'methods':['PUT'],'clients':['anonymous']"), "/mappings/0/clients/0",
         "which the mapping does not let pass"},
        {CLOSED("['anonymous']"), "/mappings/0/clients/0", "no listener takes anonymous clients"},
        {CLOSED("[{'name':'anonymous'}]"), "/mappings/0/clients/0/name", "no listener takes anonymous clients"},
    };
    CHECK(rows);
}

static void all_mistakes_come_at_once(void **state) {
    (void)state;
    static const char document[] = "{'htpp':1,'group':{'hops':0,'port':'x'},'clients':{'D':{'token_sha256':'z'}},"
                                   "'mappings':[{'name':'m','group':'coaps://224.0.1.187','timeout':0,'finish':'all'},"
                                   "{'name':'m','path':'/m','group':'coaps://h','security':'x','clients':['d']}]}";
    static const char *const pointers[] = {
        "/htpp",
        "/group/port",
        "/group/hops",
        "/clients/D",
        "/clients/D/token_sha256",
        "/mappings/0/group",
        "/mappings/0",
        "/mappings/0/timeout",
        "/mappings/0/finish",
        "/mappings/1/name",
        "/mappings/1/path",
        "/mappings/1/group",
        "/mappings/1/security",
        "/mappings/1/clients/0",
    };
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted(document, &config, &mistakes), CG_E_FORMAT);
    const struct cg_mistake *mistake = mistakes.first;
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        assert_non_null(mistake);
        assert_string_equal(mistake->pointer, pointers[i]);
        mistake = mistake->next;
    }
    assert_null(mistake);
    cg_mistakes_fini(&mistakes);
}

static void a_list_of_mistakes_has_an_end(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    struct cg_buf text;
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_buf_init(&text, 0);
    cg_mistakes_init(&mistakes);
    cg_buf_put_str(&text, "{'mappings':[");
    for (unsigned i = 0; i < COUNT; i++) cg_buf_put_str(&text, i == 0 ? "0" : ",0");
    cg_buf_put(&text, "]}", 3);
    assert_int_equal(parse_quoted((const char *)text.data, &config, &mistakes), CG_E_FORMAT);
    assert_int_equal(mistakes.count, COUNT);
    assert_int_equal(mistakes.listed, CG_MISTAKES_LISTED);
    cg_mistakes_fini(&mistakes);
    cg_buf_fini(&text);
}

static void what_nests_too_deep_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_settings_parse(cg_slice_of(text, DEPTH), "/", &config, &mistakes), CG_E_FORMAT);
    assert_string_equal(mistakes.first->message, "line 1: arrays and objects are nested too deep");
    cg_mistakes_fini(&mistakes);
    free(text);
}

/* Cut anywhere, the document is refused or accepted, never worse: the sanitizers are the judges. */
static void a_document_may_end_anywhere(void **state) {
    (void)state;
    static const char document[] = CLIENTS("['d',{'name':'anonymous','methods':['GET']}],'members':['127.1.0.1']");
    char part[sizeof document];
    for (size_t len = 0; len < sizeof document - 1; len++) {
        struct cg_config *config;
        struct cg_mistakes mistakes;
        memcpy(part, document, len);
        part[len] = '\0';
        cg_mistakes_init(&mistakes);
        assert_int_equal(parse_quoted(part, &config, &mistakes), CG_E_FORMAT);
        assert_null(config);
        cg_mistakes_fini(&mistakes);
    }
    (void)settings_of(document);
}

/* What follows from a mistake is not told as well: whoever mends the cause has mended all of it. */
static void a_cause_is_told_once(void **state) {
    (void)state;
#define WITH(more)                                                                                                     \
    "{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':['anonymous']" more "}]}"
    static const struct {
        const char *document, *pointer;
    } table[] = {
        {"{'http':7,'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':['anonymous']}]}",
         "/http"},
        {"{'http':{'listen':['x']},'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':["
         "'anonymous']}]}",
         "/http/listen/0"},
        {"{'coap':{'listen':['x']},'http':{'listen':[]},'mappings':[{'name':'m','group':'coap://"
         "224.0.1.187','security':"
         "'none','clients':['anonymous']}]}",
         "/coap/listen/0"},
        {"{'coap':{'listen':['coaps://127.0.0.1'],'tls':7}}", "/coap/tls"},
        {"{'coap':{'listen':['coaps://127.0.0.1']},'clients':{'d':{'psk':7}}}", "/clients/d/psk"},
        {"{'clientz':{},'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':['a','b']}]}",
         "/clientz"},
        {"{'clients':[],'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':['a','b']}]}",
         "/clients"},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none','clients':['a']},"
         "{'name':'n','group':'coap://224.0.1.188','security':'none','clients':['a']}]}",
         "/mappings/0/clients/0"},
        {"{'security_groups':7,'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'g','membership':"
         "'complete'}]}",
         "/security_groups"},
        {"{'security_groups':{'g':'/nowhere'},'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'g',"
         "'membership':'complete','finish':'quorum:0.5'}]}",
         "/security_groups/g"},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'g','members':['127.1.0.1'],'membership':"
         "'complete','finish':'all'}]}",
         "/mappings/0/security"},
        {"{'mappings':[{'nam':'m','group':'coap://224.0.1.187','security':'none'}]}", "/mappings/0/nam"},
        {"{'mappings':[{'name':'m','grup':'coap://224.0.1.187','security':'none'}]}", "/mappings/0/grup"},
        {"{'mappings':[{'name':'m','target':[],'security':'none'}]}", "/mappings/0/target"},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','securty':'none','methods':['PUT']}]}",
         "/mappings/0/securty"},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','methods':['PUT']}]}", "/mappings/0"},
        {"{'mappings':[{'name':'m','group':'coap://"
         "224.0.1.187','security':7,'methods':['GET','PUT'],'clients':[{'name':"
         "'anonymous','methods':['GET']}]}]}",
         "/mappings/0/security"},
        {WITH(",'unsafe_methods':7,'methods':['GET','PUT']"), "/mappings/0/unsafe_methods"},
        {WITH(",'methods':['GETT']"), "/mappings/0/methods/0"},
        {WITH(",'members':7,'membership':'complete','finish':'all'"), "/mappings/0/members"},
        {WITH(",'members':['x'],'membership':'complete','finish':'quorum:0.5'"), "/mappings/0/members/0"},
        {WITH(",'members':['127.1.0.1'],'membership':7,'finish':'all'"), "/mappings/0/membership"},
        {WITH(",'membership':'complete','finish':'all'"), "/mappings/0/membership"},
        {WITH(",'anonymise':true,'stand_in':7"), "/mappings/0/stand_in"},
    };
#undef WITH
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_config *config;
        struct cg_mistakes mistakes;
        cg_mistakes_init(&mistakes);
        assert_int_equal(parse_quoted(table[i].document, &config, &mistakes), CG_E_FORMAT);
        for (const struct cg_mistake *it = mistakes.first; mistakes.count != 1 && it != NULL; it = it->next)
            print_message("%s: %s: %s\n", table[i].document, it->pointer, it->message);
        assert_int_equal(mistakes.count, 1);
        assert_string_equal(mistakes.first->pointer, table[i].pointer);
        cg_mistakes_fini(&mistakes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cause_is_told_once),
        settings_test(text_that_is_no_document),
        settings_test(keys_and_kinds),
        settings_test(numbers_and_sections),
        settings_test(listeners),
        settings_test(clients),
        settings_test(security_must_be_said_R1),
        settings_test(group_uris_R2_R34_R43),
        settings_test(names_and_paths),
        settings_test(methods_R58),
        settings_test(times_and_counts),
        settings_test(members_and_finish),
        settings_test(grants),
        settings_test(all_mistakes_come_at_once),
        settings_test(a_list_of_mistakes_has_an_end),
        settings_test(what_nests_too_deep_is_refused),
        settings_test(a_document_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
