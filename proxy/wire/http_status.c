/* CoAP codes as HTTP statuses. The hard thing: "unknown" must still mean something, because a member may run a later
 * standard than this table. */
#include "wire/http_status.h"

#include "wire/msg.h"

struct code_row {
    uint8_t code;
    uint16_t status;
};

/* RFC 8075 Table 2 where it differs from the class's default; the notes give 4.01 (there is no WWW-Authenticate to
 * send), 4.02 (the fault is in no header of the client) and 4.05 (the allowed methods are unknown). Then 4.09 and 4.22
 * of RFC 8132, 4.29 of RFC 8516 and 5.08 of RFC 8768. 2.31 and 4.08 belong to block-wise transfer between us and the
 * member and are never translated (note 10): as an answer to a whole request they are a bad gateway's. */
static const struct code_row code_rows[] = {
    {CG_CODE(2, 1), 201},  {CG_CODE(2, 3), 304},  {CG_CODE(2, 31), 502}, {CG_CODE(4, 8), 502},  {CG_CODE(4, 1), 403},
    {CG_CODE(4, 2), 500},  {CG_CODE(4, 3), 403},  {CG_CODE(4, 4), 404},  {CG_CODE(4, 5), 400},  {CG_CODE(4, 6), 406},
    {CG_CODE(4, 9), 409},  {CG_CODE(4, 12), 412}, {CG_CODE(4, 13), 413}, {CG_CODE(4, 15), 415}, {CG_CODE(4, 22), 422},
    {CG_CODE(4, 29), 429}, {CG_CODE(5, 1), 501},  {CG_CODE(5, 2), 502},  {CG_CODE(5, 3), 503},  {CG_CODE(5, 4), 504},
    {CG_CODE(5, 5), 502},  {CG_CODE(5, 8), 508},
};

uint16_t cg_http_status_from_code(uint8_t code, bool has_payload) {
    if (code == CG_CODE(2, 2) || code == CG_CODE(2, 4)) return has_payload ? 200 : 204;
    for (size_t i = 0; i < sizeof code_rows / sizeof code_rows[0]; i++) {
        if (code_rows[i].code == code) return code_rows[i].status;
    }
    switch (code >> 5) {
    case 2: return 200;
    case 4: return 400;
    case 5: return 500;
    default: return 502; /* no response code at all */
    }
}

const char *cg_http_reason(uint16_t status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 508: return "Loop Detected";
    default: return "Unknown";
    }
}

const char *cg_http_reason_from_code(uint8_t code, bool has_payload) {
    if (code == CG_CODE(4, 5)) return "CoAP server returned 4.05";
    return cg_http_reason(cg_http_status_from_code(code, has_payload));
}
