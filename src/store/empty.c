typedef int demon_store_is_empty;
