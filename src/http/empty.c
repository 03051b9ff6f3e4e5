typedef int demon_http_is_empty;
