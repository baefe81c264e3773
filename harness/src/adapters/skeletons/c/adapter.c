/* An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.
 *
 * Put your reader in place of `read_object`, which knows None, bools, ints, ASCII strings, tuples and lists. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char declaration[] =
    "{\"exec\":1,\"name\":\"mine\",\"version\":\"0.1\",\"pythons\":[\"3.11\"],"
    "\"owes\":[\"accept\",\"refuse\",\"consumed\",\"value\"]}";

struct reader {
    const uint8_t *data;
    size_t size, at;
    FILE *out;           /* the value, as EXEC.md writes it */
    const char *error;   /* why nothing was read */
    int is_unsupported;
};

static int fail(struct reader *r, const char *error) {
    r->error = error;
    return 0;
}

static int unsupported(struct reader *r, const char *what) {
    r->is_unsupported = 1;
    return fail(r, what);
}

static int read_number(struct reader *r, int32_t *number) {
    if (r->size - r->at < 4)
        return fail(r, "the number is cut");
    const uint8_t *p = r->data + r->at;
    *number = (int32_t)(p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
    r->at += 4;
    return 1;
}

static int read_object(struct reader *r) {
    int32_t number;
    if (r->at >= r->size)
        return fail(r, "there is no object");
    uint8_t code = r->data[r->at++];
    switch (code) {
    case 'N': return fputs("null", r->out) >= 0;
    case 'T': return fputs("true", r->out) >= 0;
    case 'F': return fputs("false", r->out) >= 0;
    case 'i':
        return read_number(r, &number) && fprintf(r->out, "{\"int\":\"%d\"}", number) > 0;
    case 'u':
        if (!read_number(r, &number))
            return 0;
        if (number < 0 || r->size - r->at < (size_t)number)
            return fail(r, "the string is cut");
        fputc('"', r->out);
        for (; number > 0; number--) {
            uint8_t byte = r->data[r->at++];
            if (byte >= 0x80)
                return unsupported(r, "a string that is not ASCII");
            fprintf(r->out, "\\u%04x", byte);
        }
        return fputc('"', r->out) >= 0;
    case '(':
    case '[':
        if (!read_number(r, &number))
            return 0;
        if (number < 0)
            return fail(r, "the size is negative");
        fputs(code == '(' ? "{\"tuple\":[" : "{\"list\":[", r->out);
        for (int32_t index = 0; index < number; index++) {
            if (index > 0)
                fputc(',', r->out);
            if (!read_object(r))
                return 0;
        }
        return fputs("]}", r->out) >= 0;
    default:
        return unsupported(r, "a type byte that it does not know");
    }
}

static int digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        char *text = strstr(line, "\"data\":\"");
        char *id = strstr(line, "\"id\":");
        if (text == NULL || id == NULL) {
            puts(declaration);
        } else {
            char *digits = text + 8;
            size_t size = strcspn(digits, "\"") / 2, told;
            uint8_t *data = malloc(size + 1);
            for (size_t index = 0; index < size; index++)
                data[index] = (uint8_t)(digit(digits[2 * index]) << 4 | digit(digits[2 * index + 1]));
            char *value = NULL;
            struct reader r = {data, size, 0, open_memstream(&value, &told), NULL, 0};
            int is_read = read_object(&r);
            fclose(r.out);
            printf("{\"id\":%lu,", strtoul(id + 5, NULL, 10));
            if (is_read)
                printf("\"value\":%s,\"consumed\":%zu}\n", value, r.at);
            else
                printf("\"%s\":\"%s\"}\n", r.is_unsupported ? "unsupported" : "error", r.error);
            free(value);
            free(data);
        }
        fflush(stdout);
    }
    free(line);
    return 0;
}
