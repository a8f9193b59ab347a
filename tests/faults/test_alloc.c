/* test_alloc.c -- every host allocation of the parts that need no device is refused once: settings, text,
 * data sets, pictures, tensor files and the command line end in a clear error, and leave nothing behind.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_rig.h"
#include "tests/faults/alloc_sets.h"

#include "data/emoji.h"
#include "data/grid.h"
#include "data/tokenizer_grow.h"
#include "host/train/checkpoint.h"
#include "models/prior/prior.h"
#include "models/request.h"

#include <jpeglib.h>

static alloc_totals totals;

/* ---- Settings ---------------------------------------------------------------------------------- */

static bool run_settings(error *err)
{
    prior_config c, again;
    const char *const sets[] = { "layers=2", "heads=4" };
    train_request r = { .preset = "tiny", .sets = sets, .set_count = 2, .seed = 3 };
    if (!request_config(&r, &prior_config_table, &c, err)) return false;
    char *text = config_format(&prior_config_table, &c), *help = config_help(&prior_config_table);
    bool ok = text && help ? true : error_set(err, ERROR_MEMORY, "out of memory for the settings as text");
    if (ok) config_defaults(&prior_config_table, &again);
    ok = ok && config_parse(&prior_config_table, &again, text, "again", err);
    if (ok && memcmp(&c, &again, sizeof c) != 0) ok = error_set(err, ERROR_FORMAT, "the settings changed");
    free(text);
    free(help);
    return ok;
}

/* A mistake is reported as one whether or not there is memory for a suggestion. */
static bool run_mistakes(error *err)
{
    prior_config c;
    config_defaults(&prior_config_table, &c);
    error said = { 0 };
    if (config_assign(&prior_config_table, &c, "laiers=3", "--set", &said) || said.code != ERROR_USAGE)
        return error_set(err, ERROR_FORMAT, "a wrong key was taken: %s", said.message);
    if (preset_read(&prior_config_table, "tini", &c, &said) || said.code != ERROR_USAGE)
        return error_set(err, ERROR_FORMAT, "a wrong preset was taken: %s", said.message);
    return true;
}
static const char *const mistakes_without[] = { "config_assign", "preset_read", NULL };

/* ---- Text -------------------------------------------------------------------------------------- */

static bool run_tokenizer_train(error *err)
{
    return tokenizer_train(drawing_captions, DRAWINGS, 280, path_of("out/t.model"), err);
}

static bool check_tokenizer(bool ok, error *err)
{
    if (!no_leftovers(err)) return false;
    if (!file_exists(path_of("out/t.model"))) return !ok || error_set(err, ERROR_IO, "no model was written");
    tokenizer *t = tokenizer_open(path_of("out/t.model"), err);
    bool whole = t && (tokenizer_vocabulary(t) == 280 || error_set(err, ERROR_FORMAT, "a wrong model"));
    tokenizer_close(t);
    return whole;
}

static bool run_tokenizer_grow(error *err)
{
    static const char *const captions[] = { "a quokka", "two quokkas", "żółw" };
    tokenizer *t = tokenizer_open(path_of("t.model"), err);
    bool ok = t && tokenizer_grow(t, captions, 3, 50, path_of("out/t.model"), err);
    tokenizer_close(t);
    return ok;
}

static bool check_grown(bool ok, error *err)
{
    if (!no_leftovers(err)) return false;
    if (!file_exists(path_of("out/t.model"))) return !ok || error_set(err, ERROR_IO, "no model was written");
    tokenizer *t = tokenizer_open(path_of("out/t.model"), err);
    bool whole = t && (tokenizer_vocabulary(t) > 280 || error_set(err, ERROR_FORMAT, "nothing was added"));
    tokenizer_close(t);
    return whole;
}

static bool run_tokenizer_use(error *err)
{
    tokenizer *t = tokenizer_open(path_of("t.model"), err);
    if (!t) return false;
    int32_t *ids = NULL, *other = NULL;
    philox rng = { 0 };
    int count = tokenizer_encode(t, "A red square over Zürich", &ids, err);
    char *text = count < 0 ? NULL : tokenizer_decode(t, ids, count, err);
    bool ok = text && tokenizer_encode_dropout(t, "a green square", 0.3f, &rng, &other, err) >= 0 &&
              tokenizer_save(t, path_of("out/t.model"), err);
    free(ids);
    free(other);
    free(text);
    tokenizer_close(t);
    return ok;
}

static bool run_clip_tokenizer(error *err)
{
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/clip_merges.txt", folder ? folder : "tests");
    tokenizer *t = tokenizer_open(path, err);
    int32_t *ids = NULL;
    int count = t ? tokenizer_encode(t, "A &eacute;t\xc3\x83\xc2\xa9 ﬁ\nＡ", &ids, err) : -1;
    char *text = count < 0 ? NULL : tokenizer_decode(t, ids, count, err);
    bool ok =
        text && (strcmp(text, "a été fi a") == 0 || error_set(err, ERROR_FORMAT, "it reads '%s'", text));
    free(text);
    free(ids);
    tokenizer_close(t);
    return ok;
}

static bool run_words(error *err)
{
    words *w = words_collect(drawing_captions, DRAWINGS, err), *again = NULL;
    bool ok = w && words_save(w, path_of("out/words.txt"), err) &&
              (again = words_open(path_of("out/words.txt"), err)) != NULL;
    char **unseen = NULL;
    int count = ok ? words_unseen(again, "a red zebra", &unseen, err) : -1;
    if (ok && count >= 0 && count != 1) ok = error_set(err, ERROR_FORMAT, "%d words are unseen", count);
    free(unseen);
    words_destroy(w);
    words_destroy(again);
    return ok && count >= 0;
}

/* ---- Pictures ---------------------------------------------------------------------------------- */

static bool run_pictures(error *err)
{
    image read[3] = { 0 }, fitted = { 0 }, sheet = { 0 };
    const char *const captions[] = { "a first caption that is longer than a line", "b", "\xc3\xa9t\xc3\xa9" };
    bool ok = image_read(path_of("a.png"), &read[0], err) && image_read(path_of("a.jpg"), &read[1], err) &&
              image_read(path_of("cmyk.jpg"), &read[2], err) && image_fit(&read[0], 24, &fitted, err) &&
              grid_make(read, 3, 2, 2, captions, &sheet, err) &&
              image_write_png(&sheet, path_of("out/sheet.png"), err);
    if (ok && (read[1].width != 16 || read[2].height != 24))
        ok = error_set(err, ERROR_FORMAT, "a picture was not turned");
    for (int i = 0; i < 3; ++i) image_free(&read[i]);
    image_free(&fitted);
    image_free(&sheet);
    return ok;
}

static bool check_pictures(bool ok, error *err)
{
    return no_leftovers(err) && whole_png(path_of("out/sheet.png"), ok, err);
}
/* A grid without labels is better than none; glyphs that cannot be drawn are left out. */
static const char *const pictures_without[] = { "label_font_open", "label_height", "label_draw", NULL };

/* With a profile that is opened each time, and kept ones. */
static bool run_profiles(error *err)
{
    image_reading how = IMAGE_READING_DEFAULT;
    image a = { 0 }, b = { 0 }, c = { 0 };
    bool ok = image_read(path_of("adobe.png"), &a, err) && (how.profiles = image_profiles_create(err)) &&
              image_read_as(path_of("grey.jpg"), &how, &b, err) &&
              image_read_as(path_of("p3.webp"), &how, &c, err);
    image_free(&a), image_free(&b), image_free(&c);
    image_profiles_destroy(how.profiles);
    return ok;
}

#define EMOJI_PICTURES 16 /* those of write_emoji, and the heart in three other colours */

static bool run_emoji(error *err)
{
    int count = 0;
    const emoji_options options = { .list = path_of("list.txt"),
                                    .words = path_of("words.xml"),
                                    .words_derived = path_of("words.xml"),
                                    .english = path_of("english"),
                                    .size = 16 };
    return emoji_build(&options, path_of("out/emoji.tar"), &count, err) &&
           (count == EMOJI_PICTURES || error_set(err, ERROR_FORMAT, "%d emoji", count));
}

/* FreeType's own: modules for other kinds of fonts, tables nobody asks for. */
static const char *const emoji_without[] = { "emoji_font_open", NULL };

static bool check_emoji(bool ok, error *err)
{
    const char *path = path_of("out/emoji.tar");
    if (!no_leftovers(err)) return false;
    if (!file_exists(path)) return !ok || error_set(err, ERROR_IO, "no tar was written");
    dataset *d = dataset_open(&path, 1, true, err);
    bool whole = d && (dataset_count(d) == EMOJI_PICTURES || error_set(err, ERROR_FORMAT, "a part of a tar"));
    dataset_close(d);
    return whole;
}

/* ---- Tensor files ------------------------------------------------------------------------------ */

static bool fives(void *of, int64_t first, int64_t count, void *values, error *err)
{
    (void)of, (void)first, (void)err;
    memset(values, 5, (size_t)count);
    return true;
}

static bool run_safetensors(error *err)
{
    static const float values[6] = { 1, 2, 3, 4, 5, 6 };
    static const int32_t whole[3] = { 7, 8, 9 };
    const char *path = path_of("out/t.safetensors");
    safetensors_writer *w = safetensors_writer_create();
    bool ok = w ? true : error_set(err, ERROR_MEMORY, "out of memory for a writer");
    ok = ok && safetensors_add_metadata(w, "step", "12", err) &&
         safetensors_add(w, "a", DTYPE_F32, 2, (int64_t[]){ 2, 3 }, values, sizeof values, err) &&
         safetensors_add(w, "b", DTYPE_I32, 1, (int64_t[]){ 3 }, whole, sizeof whole, err) &&
         safetensors_add_source(w, "c", DTYPE_U8, 1, (int64_t[]){ 9 }, fives, NULL, err) &&
         safetensors_add(w, "d", DTYPE_F169, 1, (int64_t[]){ 6 }, whole, sizeof whole, err) &&
         safetensors_write(w, path, err);
    safetensors_writer_destroy(w);
    safetensors *f = ok ? safetensors_open(path, err) : NULL;
    ok = f && safetensors_count(f) == 4 && safetensors_find(f, "d")->loadable &&
         strcmp(safetensors_metadata(f, "step"), "12") == 0;
    safetensors_close(f);
    return ok;
}

static bool check_safetensors(bool ok, error *err)
{
    (void)ok;
    return no_leftovers(err) && whole_safetensors(path_of("out/t.safetensors"), err);
}

/* A header of odd length, whose data must be copied. */
static bool run_unaligned(error *err)
{
    safetensors *f = safetensors_open(path_of("odd.safetensors"), err);
    safetensors_close(f);
    return f != NULL;
}

/* ---- The command line -------------------------------------------------------------------------- */

COMMAND(help, "--help")
COMMAND(help_of, "train", "dvae", "--help")
COMMAND(manual, "man")
COMMAND(completion, "completion", "zsh")
COMMAND(config, "config", "prior", "--preset", "tiny", "--set", "layers=2", "-s", "heads=4")
COMMAND(config_json, "config", "dvae", "--json")
COMMAND(captions, "data", "captions", path_of("odd.tar"))
COMMAND(data_info, "data", "info", path_of("data.tar"), path_of("folder"))
COMMAND(data_info_json, "data", "info", "--json", path_of("data.tar"))
COMMAND(data_index, "data", "index", "--json", path_of("data.tar"))
COMMAND(train_tokenizer, "tokenizer", "train", "--data", path_of("data.tar"), "--keywords", "--vocabulary",
        "300", "-o", path_of("out/t.model"))
COMMAND(tokenizer_text, "tokenizer", "train", "--text", path_of("lines.txt"), "--vocabulary", "280", "-o",
        path_of("out/t.model"))
COMMAND(tokenizer_encode, "tokenizer", "encode", "-m", path_of("t.model"), "--pieces", "a red square")
COMMAND(tokenizer_encode_json, "tokenizer", "encode", "--json", "-m", path_of("t.model"), "a red square")
COMMAND(tokenizer_decode, "tokenizer", "decode", "-m", path_of("t.model"), "260", "261")
COMMAND(info, "info", path_of("odd.safetensors"))
COMMAND(info_json, "info", "--json", "--tensors", path_of("odd.safetensors"))

static bool check_out(bool ok, error *err)
{
    (void)ok;
    return no_leftovers(err);
}

static bool check_command_tokenizer(bool ok, error *err)
{
    if (!no_leftovers(err)) return false;
    if (!file_exists(path_of("out/t.model"))) return !ok || error_set(err, ERROR_IO, "no model was written");
    tokenizer *t = tokenizer_open(path_of("out/t.model"), err);
    tokenizer_close(t);
    return t != NULL;
}

/* ---- All of it --------------------------------------------------------------------------------- */

static const alloc_scene scenes[] = {
    { "settings", NULL, run_settings, NULL, 0, NULL },
    { "mistakes", NULL, run_mistakes, NULL, 0, mistakes_without },
    { "tokenizer train", empty_out, run_tokenizer_train, check_tokenizer, 400, NULL },
    { "tokenizer grow", empty_out, run_tokenizer_grow, check_grown, 400, NULL },
    { "tokenizer use", empty_out, run_tokenizer_use, check_out, 1200, NULL },
    { "CLIP's tokenizer", NULL, run_clip_tokenizer, NULL, 400, NULL },
    { "words", empty_out, run_words, check_out, 0, NULL },
    { "tar", NULL, run_tar, NULL, 0, NULL },
    { "packed tar", NULL, run_packed_tar, NULL, 0, NULL },
    { "large tar", NULL, run_large, NULL, 90, NULL },
    { "large packed tar", NULL, run_large_packed, NULL, 90, NULL },
    { "folder", NULL, run_folder, NULL, 0, NULL },
    { "table", NULL, run_table, NULL, 0, NULL },
    { "coco", NULL, run_coco, NULL, 0, NULL },
    { "loader", empty_out, run_loader, NULL, 600, loader_without },
    { "pictures", empty_out, run_pictures, check_pictures, 800, pictures_without },
    { "profiles", NULL, run_profiles, NULL, 200, NULL },
    { "emoji", empty_out, run_emoji, check_emoji, 800, emoji_without },
    { "safetensors", empty_out, run_safetensors, check_safetensors, 0, NULL },
    { "unaligned", NULL, run_unaligned, NULL, 0, NULL },
    { "help", NULL, run_help, NULL, 0, NULL },
    { "help of", NULL, run_help_of, NULL, 0, NULL },
    { "man", NULL, run_manual, NULL, 0, NULL },
    { "completion", NULL, run_completion, NULL, 0, NULL },
    { "config", NULL, run_config, NULL, 0, NULL },
    { "config --json", NULL, run_config_json, NULL, 0, NULL },
    { "data captions", NULL, run_captions, NULL, 0, NULL },
    { "data info", NULL, run_data_info, NULL, 600, NULL },
    { "data info --json", NULL, run_data_info_json, NULL, 600, NULL },
    { "data index --json", NULL, run_data_index, NULL, 100, NULL },
    { "command tokenizer train", empty_out, run_train_tokenizer, check_command_tokenizer, 300, NULL },
    { "command tokenizer text", empty_out, run_tokenizer_text, check_command_tokenizer, 200, NULL },
    { "tokenizer encode", NULL, run_tokenizer_encode, NULL, 200, NULL },
    { "tokenizer encode --json", NULL, run_tokenizer_encode_json, NULL, 200, NULL },
    { "tokenizer decode", NULL, run_tokenizer_decode, NULL, 200, NULL },
    { "info", NULL, run_info, NULL, 0, NULL },
    { "info --json", NULL, run_info_json, NULL, 0, NULL },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

/* ---- What they work on ------------------------------------------------------------------------- */

static void write_jpeg(const char *path, J_COLOR_SPACE space, int channels)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL, row[24 * 4];
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = 24;
    jpeg.image_height = 16;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    static const unsigned char turned[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0";
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, turned, sizeof turned - 1);
    for (int i = 0; i < 24 * 4; ++i) row[i] = (unsigned char)(i * 7);
    for (int y = 0; y < 16; ++y) jpeg_write_scanlines(&jpeg, &(JSAMPROW){ row }, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_true(file_write(path, bytes, size, NULL));
    free(bytes);
}

/* Ten faces, two colours of hands and a heart, as Unicode and CLDR would list them. */
static void write_emoji(void)
{
    char list[2000] = "# group: Smileys & Emotion\n# subgroup: face-smiling\n",
         keywords[2000] = "<ldml><annotations>\n";
    for (int i = 0; i < 10; ++i) {
        snprintf(list + strlen(list), sizeof list - strlen(list),
                 "1F60%d ; fully-qualified # \xf0\x9f\x98\x80 E1.0 face %d\n", i, i);
        snprintf(keywords + strlen(keywords), sizeof keywords - strlen(keywords),
                 "<annotation cp=\"\xf0\x9f\x98%c\">face | number %d</annotation>\n", (char)(0x80 + i), i);
    }
    strcat(list, "# group: People & Body\n# subgroup: hand-fingers-open\n"
                 "1F44B ; fully-qualified # \xf0\x9f\x91\x8b E0.6 waving hand\n"
                 "1F44B 1F3FF ; fully-qualified # \xf0\x9f\x91\x8b E1.0 waving hand: dark skin tone\n"
                 "# group: Smileys & Emotion\n# subgroup: heart\n"
                 "2764 FE0F ; fully-qualified # \xe2\x9d\xa4 E0.6 red heart\n");
    strcat(keywords, "</annotations></ldml>\n");
    write_text(path_of("list.txt"), list);
    write_text(path_of("words.xml"), keywords);
    assert_true(file_make_folders(path_of("english/annotations"), NULL));
    write_text(
        path_of("english/annotations/en_GB.xml"),
        "<ldml><annotations><annotation cp=\"\xe2\x9d\xa4\">love | valentine</annotation>"
        "<annotation cp=\"\xe2\x9d\xa4\" type=\"tts\">crimson heart</annotation></annotations></ldml>\n");
}

static void write_odd_tensors(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                 "\"__metadata__\":{\"step\":\"3\"}}";
    char bytes[200] = { 0 };
    size_t length = sizeof header - 1;
    if (length % 8 == 0) fail_msg("the header's length is even");
    bytes[0] = (char)length;
    memcpy(bytes + 8, header, length);
    assert_true(file_write(path_of("odd.safetensors"), bytes, 8 + length + 8, NULL));
}

/* A broken picture, links, several captions, a repeat, a name that comes again. */
static void write_odd_tar(void)
{
    tar_file t = tar_begin(path_of("odd.tar"), false);
    struct archive_entry *link = archive_entry_new();
    tar_add_noise(&t, "a.png", 14, 14, 1);
    tar_add_text(&t, "a.txt", "one\ntwo\n");
    tar_add_text(&t, "a.json", "{\"captions\":[\"three\"],\"repeat\":3,\"x\":NaN}");
    tar_add_text(&t, "b.png", "<html>");
    tar_add_text(&t, "b.txt", "broken");
    tar_add_text(&t, "b.txt", "broken again");
    tar_add_noise(&t, "c.in.png", 14, 14, 2);
    tar_add_text(&t, "c.out.txt", "c");
    archive_entry_set_pathname(link, "d.png");
    archive_entry_set_filetype(link, AE_IFLNK);
    archive_entry_set_symlink(link, "a.png");
    assert_int_equal(archive_write_header(t.tar, link), ARCHIVE_OK);
    archive_entry_free(link);
    tar_add_text(&t, "d.txt", "linked");
    tar_end(&t);
}

static int set_up(void **state)
{
    (void)state;
    error err;
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    drawings_folder(path_of("folder"), DRAWINGS);
    write_odd_tar();
    drawings_lists(path_of("{table}.csv"), path_of("captions_folder.json"));
    char zip[500];
    snprintf(zip, sizeof zip, "gzip -c '%s' > '%s'", path_of("data.tar"), path_of("data.tar.gz"));
    assert_int_equal(system(zip), 0);
    image made = noise(40, 30, 5);
    assert_true(image_write_png(&made, path_of("a.png"), NULL));
    image_free(&made);
    write_jpeg(path_of("a.jpg"), JCS_RGB, 3);
    write_jpeg(path_of("cmyk.jpg"), JCS_CMYK, 4);
    write_golden("png_adobe.file", path_of("adobe.png"));
    write_golden("jpeg_grey.file", path_of("grey.jpg"));
    write_golden("webp_lossless_p3.file", path_of("p3.webp"));
    write_emoji();
    write_odd_tensors();
    write_text(path_of("lines.txt"), "a red square\na green square\nblue over a white\n");
    if (!tokenizer_train(drawing_captions, DRAWINGS, 280, path_of("t.model"), &err))
        fail_msg("%s", err.message);
    return 0;
}

int main(int argc, char **argv)
{
    return run_walk(argc, argv, test_all, set_up);
}
