"""The rules that inbox, engine, adapters and page all ask, each decided in one place. Pure: values in, a decision out."""
