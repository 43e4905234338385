"""Who a record is about, without saying who: pseudonyms, data keys, erasure."""
