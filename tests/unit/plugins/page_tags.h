/* The tags of the page that text/html gives: whoever reads one takes no other. */
#ifndef PAGE_TAGS_H
#define PAGE_TAGS_H

static const char *const page_tags[] = {
    "<!doctype html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
    "<title>",
    "</title>",
    "<style>",
    "</style>",
    "</head>",
    "<body>",
    "</body>",
    "</html>",
    "<h1>",
    "</h1>",
    "<h2>",
    "</h2>",
    "<p>",
    "</p>",
    "<small>",
    "</small>",
    "<table>",
    "</table>",
    "<tr>",
    "</tr>",
    "<th scope=\"row\">",
    "</th>",
    "<td>",
    "</td>",
    "<pre>",
    "<pre dir=\"auto\">",
    "</pre>",
    "<br>",
    "<bdi>",
    "</bdi>",
    "<ul>",
    "</ul>",
    "<li>",
    "</li>",
};

#define PAGE_TAGS (sizeof page_tags / sizeof *page_tags)

#endif
