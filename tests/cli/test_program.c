/* test_program.c -- dalle-cl as a user runs it, from pictures to a drawing, and what it says to mistakes.
 * SPDX-License-Identifier: MIT */
#include "tests/cli/program.h"
#include "data/safetensors.h"

static void is_picture(const char *path, int width, int height)
{
    error err;
    image picture;
    if (!image_read(path, &picture, &err)) fail_msg("%s", err.message);
    if (width) assert_int_equal(picture.width, width);
    if (height) assert_int_equal(picture.height, height);
    image_free(&picture);
}

static void same_files(const char *a, const char *b)
{
    size_t m = 0, n = 0;
    char *x = file_read(a, &m, NULL), *y = file_read(b, &n, NULL);
    assert_int_equal(m, n);
    assert_memory_equal(x, y, m);
    free(x);
    free(y);
}

/* ---- In the order of a user's work: later tests use what earlier ones made ---- */

static void test_data(void **state)
{
    (void)state;
    drawings_tar(path_of("set.tar"), DRAWINGS);
    drawings_folder(path_of("set"), DRAWINGS);
    SUCCEEDS("data", "info", path_of("set.tar"), "--json");
    json_t *o = parsed();
    assert_int_equal(json_integer_value(json_object_get(o, "pictures")), DRAWINGS);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "sizes"), "16x16")), DRAWINGS);
    json_decref(o);
    SUCCEEDS("data", "info", path_of("set"));
    says("pictures: 8");
    SUCCEEDS("data", "captions", path_of("set"));
    says("black over a white\n");
    FAILS(1, "no-set", "data", "info", path_of("no-set"));
}

static void test_tokenizer(void **state)
{
    (void)state;
    const char *model = path_of("tokenizer.model");
    SUCCEEDS("tokenizer", "train", "--data", path_of("set.tar"), "--vocabulary", "288", "-o", model);
    SUCCEEDS("tokenizer", "encode", "-m", model, "a Red square");
    char text[512], *rest = NULL;
    const char *arguments[MOST_ARGUMENTS] = { "tokenizer", "decode", "-m", model };
    int count = 4;
    snprintf(text, sizeof text, "%s", last.out);
    for (char *w = strtok_r(text, " \n", &rest); w && count < MOST_ARGUMENTS - 2;
         w = strtok_r(NULL, " \n", &rest))
        arguments[count++] = w;
    assert_int_equal(call(arguments), 0);
    assert_string_equal(last.out, "a red square\n");
    FAILS(2, "289", "tokenizer", "decode", "-m", model, "289");
    FAILS(1, "set.tar", "tokenizer", "encode", "-m", path_of("set.tar"), "a");
    FAILS(2, "--data", "tokenizer", "train");
    SUCCEEDS("tokenizer", "info", "-m", model);
    says("kind: SentencePiece model\ntokens: 288\nsha256: ");
}

static void test_clip_tokenizer(void **state)
{
    (void)state;
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char *model = file_join(folder ? folder : "tests", "golden/clip_merges.txt");
    SUCCEEDS("tokenizer", "info", "-m", model, "--json");
    json_t *o = parsed();
    int tokens = (int)json_integer_value(json_object_get(o, "tokens"));
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "merges of CLIP");
    assert_int_equal(json_integer_value(json_object_get(o, "begin")), tokens - 2);
    assert_int_equal(json_integer_value(json_object_get(o, "end")), tokens - 1);
    json_decref(o);
    SUCCEEDS("tokenizer", "encode", "-m", model, "--pieces", "A DOG&#39;s photo");
    says("a</w> dog</w> 's</w> photo</w>\n");
    SUCCEEDS("tokenizer", "decode", "-m", model, "64", "320");
    says("aa\n");
    free(model);
}

static void test_training(void **state)
{
    (void)state;
    SUCCEEDS("train", "dvae", "--preset", "tiny", "--data", path_of("set.tar"), "--run", path_of("dvae"),
             "--set", "steps=24", "--set", "sample_every=12", "--quiet");
    is_picture(path_of("dvae/samples/step-000012.png"), 0, 0);
    SUCCEEDS("train", "dvae", "--run", path_of("dvae"), "--resume", "--quiet");
    SUCCEEDS("train", "prior", "--preset", "tiny", "--data", path_of("set"), "--dvae", path_of("dvae"),
             "--run", path_of("prior"), "-s", "steps=20", "-s", "sample_every=20");
    assert_non_null(strstr(last.err, "loss"));
    is_picture(path_of("prior/samples/step-000020.png"), 0, 0);
    FAILS(2, "already holds a run", "train", "prior", "--preset", "tiny", "--data", path_of("set"), "--dvae",
          path_of("dvae"), "--run", path_of("prior"));
    SUCCEEDS("info", path_of("dvae"));
    SUCCEEDS("pack", path_of("dvae"), path_of("prior"), "-o", path_of("model"));
    assert_non_null(strstr(last.out, "known captions"));
    SUCCEEDS("pack", path_of("dvae"), path_of("prior"), "-o", path_of("quick"), "--known-captions", "0");
    assert_null(strstr(last.out, "known captions"));
    SUCCEEDS("pack", path_of("model"), path_of("model"), "-o", path_of("again"));
    assert_non_null(strstr(last.err, "is no run"));
    SUCCEEDS("pack", path_of("quick"), path_of("quick"), "-o", path_of("again"), "--data",
             path_of("set.tar"));
    same_files(path_of("model/prior.cfg"), path_of("again/prior.cfg"));
    SUCCEEDS("train", "prior", "--init", path_of("model"), "--data", path_of("set"), "--run",
             path_of("further"), "-s", "steps=1", "--quiet"); /* the model's own dVAE */
    FAILS(2, "--dvae FOLDER is needed: ", "train", "prior", "--init", path_of("prior"), "--data",
          path_of("set"), "--run", path_of("none"));
    FAILS(2, "--init: there is no '", "train", "prior", "--init", path_of("nowhere"), "--data",
          path_of("set"), "--run", path_of("none"));
    FAILS(2, "nowhere", "pack", path_of("model"), path_of("model"), "-o", path_of("again"), "--data",
          "nowhere");
    FAILS(2, "no trained prior", "pack", path_of("dvae"), path_of("dvae"), "-o", path_of("wrong"));
}

static void test_generate(void **state)
{
    (void)state;
    const char *m = path_of("model"), *one = path_of("one.png"), *again = path_of("again.png");
    SUCCEEDS("generate", "-m", m, "a red square", "-o", one, "--seed", "3");
    is_picture(one, 16, 16);
    SUCCEEDS("generate", "-m", m, "a red square", "-o", again, "--seed", "3", "--quiet");
    assert_string_equal(last.out, "");
    same_files(one, again);
    SUCCEEDS("generate", "-m", m, "a red square", "-o", again, "--seed", "3", "--guidance", "1");
    same_files(one, again);
    SUCCEEDS("generate", "-m", m, "a red square", "-o", again, "--seed", "3", "-g", "0", "--tokens",
             path_of("unguided.json"));
    is_picture(again, 16, 16);
    SUCCEEDS("generate", "-m", m, "a red zebra", "-n", "3", "-o", path_of("three.png"), "--tokens",
             path_of("drawn.json"), "--temperature", "0.7", "--top-k", "8", "--top-p", "0.9", "--json");
    assert_non_null(strstr(last.err, "zebra"));
    json_t *o = parsed();
    assert_int_equal(json_integer_value(json_object_get(o, "count")), 3);
    json_t *entropy = json_object_get(o, "entropy");
    bool unsure = json_is_true(json_object_get(entropy, "unsure"));
    assert_int_equal(json_array_size(json_object_get(entropy, "pictures")), 3);
    assert_int_equal(unsure, json_real_value(json_object_get(entropy, "mean")) >
                                 json_real_value(json_object_get(entropy, "known")));
    assert_int_equal(unsure, strstr(last.err, "is unsure of this caption") != NULL);
    json_decref(o);
    is_picture(path_of("three.png"), 0, 0);
    FAILS(1, "no/such", "generate", "-m", m, "a", "-o", path_of("no/such/place.png"));
    FAILS(2, "UTF-8", "generate", "-m", m, "\xff\xff");
    FAILS(2, "caption", "generate", "-m", m, "");
    FAILS(2, "nowhere", "generate", "-m", path_of("nowhere"), "a");
    FAILS(2, "count", "generate", "-m", m, "a", "-n", "0");
    FAILS(2, "top-p", "generate", "-m", m, "a", "--top-p", "2");
    FAILS(2, "guidance", "generate", "-m", m, "a", "--guidance", "21");
    FAILS(2, "guidance", "generate", "-m", m, "a", "-g", "nan");
    FAILS(2, "temperature", "generate", "-m", m, "a", "-t", "nan");
    FAILS(2, "model", "generate", "a");
}

static void test_codec(void **state)
{
    (void)state;
    const char *m = path_of("model"), *picture = path_of("set/0.png"), *tokens = path_of("tokens.json");
    SUCCEEDS("encode", "-m", m, picture, path_of("set/5.png"), "-o", tokens);
    SUCCEEDS("decode", "-m", m, tokens, "-o", path_of("decoded.png"));
    is_picture(path_of("decoded.png"), 0, 0);
    SUCCEEDS("decode", "-m", m, path_of("drawn.json"), "-o", path_of("three-again.png"));
    same_files(path_of("three.png"), path_of("three-again.png"));
    SUCCEEDS("reconstruct", "-m", m, picture, path_of("set/1.png"), "-o", path_of("both.png"), "--json");
    json_t *o = parsed();
    assert_int_equal(json_integer_value(json_object_get(o, "codes")), 32);
    json_decref(o);
    is_picture(path_of("both.png"), 0, 0);
    write_text(path_of("bad.json"), "{\"side\": 8, \"pictures\": [[1, 2]]}");
    FAILS(1, "bad.json", "decode", "-m", m, path_of("bad.json"));
    write_text(path_of("bad.png"), "no picture");
    FAILS(1, "bad.png", "encode", "-m", m, path_of("bad.png"));
    FAILS(1, "missing.png", "reconstruct", "-m", m, path_of("missing.png"));
}

static void test_info(void **state)
{
    (void)state;
    SUCCEEDS("info", path_of("model"));
    says("guidance: 1");
    says("entropy_known: ");
    says("prior.safetensors");
    SUCCEEDS("info", path_of("model"), "--json");
    json_decref(parsed());
    SUCCEEDS("info", path_of("model/dvae.safetensors"));
    says("dvae.safetensors");
    copy_cut(path_of("model/dvae.safetensors"), path_of("cut.safetensors"), 300);
    FAILS(1, "cut.safetensors", "info", path_of("cut.safetensors"));
    FAILS(1, "set.tar", "info", path_of("set.tar"));
    /* What is no UTF-8 in a path, JSON cannot hold. */
    copy_cut(path_of("model/dvae.safetensors"), path_of("m\xff.safetensors"), 1 << 30);
    SUCCEEDS("info", path_of("m\xff.safetensors"), "--json");
    json_decref(parsed());
}

static void test_devices(void **state)
{
    (void)state;
    SUCCEEDS("devices", "--json");
    json_t *o = parsed(), *list = json_is_array(o) ? o : json_object_get(o, "devices");
    assert_true(json_array_size(list) >= 1);
    json_decref(o);
    SUCCEEDS("devices");
    FAILS(2, "no-such", "generate", "-m", path_of("model"), "a", "--device", "no-such");
    FAILS(2, "99", "train", "dvae", "-p", "tiny", "--data", path_of("set"), "-r", path_of("r"), "--device",
          "99");
}

static void test_bench_and_plan(void **state)
{
    (void)state;
    SUCCEEDS("bench", "--case", "gemm:tn:33x17x9", "--case", "conv:weights:1x5x4x3->6,k3", "--seconds",
             "0.001", "--json");
    says("\"case\":\"conv:weights:1x5x4x3->6,k3\"");
    SUCCEEDS("bench", "--list");
    says("prior:256x8-b16");
    FAILS(2, "gemm:nx:1x1x1", "bench", "--case", "gemm:nx:1x1x1");
    FAILS(2, "--list", "bench", "--case", "nothing");
    SUCCEEDS("plan", "prior", "--preset", "tiny", "--side", "4", "--codes", "32", "--json");
    json_t *plan = parsed();
    assert_true(json_integer_value(json_object_get(plan, "parameters")) > 0);
    json_decref(plan);
    write_text(path_of("p\xff.cfg"), "image_size = 16\nchannels = 8\nbatch = 4\n");
    SUCCEEDS("plan", "dvae", "--preset", path_of("p\xff.cfg"), "--json");
    json_decref(parsed());
    SUCCEEDS("plan", "dvae", "--preset", "paper", "--set", "batch=1");
    says("97,616,006 parameters");
    says("a training step of the dVAE 'paper'");
    SUCCEEDS("plan", "clip", "--preset", "tiny", "--set", "text_vocabulary=288");
    says("a training step of the CLIP 'tiny'");
    FAILS(2, "none of dvae, prior, clip", "plan", "unclip");
    FAILS(2, "tiny", "plan", "dvae", "--preset", "tinny");
    FAILS(2, "image_size", "plan", "dvae", "--set", "image_size=77");
}

static void test_bench_paced(void **state)
{
    (void)state;
    input = "case gemm:nn:5x6x7\n2\n\ncase gemm:nx:1x1x1\ncase nonsense\ncase \ncase "
            "conv:forward:1x5x4x3->6,k3\n1\n";
    SUCCEEDS("bench", "--paced");
    static const char *const answers[] = { "\"case\":\"gemm:nn:5x6x7\"",
                                           "\"runs\":2",
                                           "\"runs\":1",
                                           "\"failed\":\"bench: 'gemm:nx:1x1x1'",
                                           "\"failed\":\"bench: no case 'nonsense'",
                                           "\"failed\":\"bench: no case ''",
                                           "\"ready\":true",
                                           "\"ms\"",
                                           "\"peak_bytes\"" };
    const char *rest = last.out;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i) {
        const char *end = strchr(rest, '\n'), *found = strstr(rest, answers[i]);
        if (!end || !found || found > end) {
            show();
            fail_msg("line %zu has no %s", i + 1, answers[i]);
        }
        rest = end + 1;
    }
    assert_string_equal(rest, "");
    input = "3\n";
    SUCCEEDS("bench", "--paced", "--case", "gemm:nn:5x6x7");
    says("\"runs\":3");
    FAILS(2, "case NAME", "bench", "--paced");
    static const char *const rubbish[] = { "nonsense\n", "0\n", "-1\n", "2x\n", "99999999999999999999\n",
                                           "case" };
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; ++i) {
        input = rubbish[i];
        FAILS(2, "not '", "bench", "--paced", "--case", "gemm:nn:5x6x7");
    }
    input = NULL;
    FAILS(2, "nonsense", "bench", "--paced", "--case", "nonsense");
    FAILS(2, "at most", "bench", "--paced", "--case", "gemm:nn:5x6x7", "--case", "gemm:nn:5x6x7");
    FAILS(2, "both", "bench", "--paced", "--storage", "both");
}

static void test_tune(void **state)
{
    (void)state;
    char before[4096];
    snprintf(before, sizeof before, "%s", getenv("DALLE_CL_CACHE") ? getenv("DALLE_CL_CACHE") : "");
    setenv("DALLE_CL_CACHE", path_of("tuned"), 1);
    SUCCEEDS("tune", "prior", "--preset", "tiny", "--side", "4", "--codes", "32", "--most", "1", "--seconds",
             "0.001", "--json");
    json_t *choice = parsed();
    assert_non_null(json_string_value(json_object_get(choice, "way")));
    json_decref(choice);
    SUCCEEDS("tune", "dvae", "--forget");
    setenv("DALLE_CL_CACHE", "off", 1);
    FAILS(1, "DALLE_CL_CACHE", "tune", "prior", "--preset", "tiny");
    FAILS(2, "none of dvae, prior, clip", "tune", "unclip");
    if (*before)
        setenv("DALLE_CL_CACHE", before, 1);
    else
        unsetenv("DALLE_CL_CACHE");
}

/* ---- Without any device ---- */

static void test_help(void **state)
{
    (void)state;
    static const char *const commands[][2] = {
        { "generate", NULL },      { "devices", NULL },       { "data", "emoji" },
        { "data", "captions" },    { "data", "info" },        { "tokenizer", "train" },
        { "tokenizer", "encode" }, { "tokenizer", "decode" }, { "tokenizer", "info" },
        { "train", "dvae" },       { "train", "prior" },      { "pack", NULL },
        { "encode", NULL },        { "decode", NULL },        { "reconstruct", NULL },
        { "info", NULL },          { "config", NULL },        { "plan", NULL },
        { "bench", NULL },         { "tune", NULL },          { "completion", NULL },
        { "man", NULL },           { "data", "pictures" },    { "watch", NULL },
        { "report", NULL },        { "eval", NULL },
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i) {
        const char *const *c = commands[i];
        if (c[1])
            SUCCEEDS(c[0], c[1], "--help");
        else
            SUCCEEDS(c[0], "--help");
        /* The example comes before the options. */
        const char *example = strstr(last.out, "dalle-cl "), *options = strstr(last.out, "--help");
        assert_non_null(example);
        assert_true(!options || example < options);
    }
    SUCCEEDS("--help");
    says("generate");
    SUCCEEDS("--version");
    says("0.");
    SUCCEEDS("train", "--help");
    says("train prior");
}

static void test_mistakes(void **state)
{
    (void)state;
    FAILS(2, "generate", "generat", "a");
    FAILS(2, "--temperature", "generate", "--temprature", "1", "a");
    FAILS(2, "prior", "train", "prio");
    FAILS(2, "tiny", "train", "dvae", "--preset", "tinny", "--data", path_of("set"), "--run", path_of("r"));
    FAILS(2, "channels", "train", "dvae", "--preset", "tiny", "--data", path_of("set"), "--run", path_of("r"),
          "-s", "chanels=8");
    FAILS(2, "batch", "train", "dvae", "--preset", "tiny", "--data", path_of("set"), "--run", path_of("r"),
          "-s", "batch=many");
    FAILS(2, "--run", "train", "dvae", "--data", path_of("set"));
    FAILS(2, "--data", "train", "dvae", "--run", path_of("r"));
    FAILS(2, "count", "generate", "-m", "x", "a", "-n", "three");
    FAILS(2, "not a whole number", "generate", "-m", "x", "a", "-n", " 3");
    FAILS(2, "not a number", "generate", "-m", "x", "a", "-t", "0x1");
    FAILS(2, "0 to 9007199254740992", "generate", "-m", "x", "a", "--seed", "9007199254740993");
    FAILS(2, "CAPTION is missing", "generate", "-m", "x");
    FAILS(2, "given twice", "generate", "-m", "x", "a", "-n", "1", "--count", "2");
    FAILS(2, "needs a value", "generate", "a", "-m");
    FAILS(2, "takes no value", "generate", "a", "--quiet=1");
    FAILS(2, "too many", "generate", "a", "--", "-o");
    FAILS(2, "before any command", "--device", "cpu", "generate", "a");
    FAILS(2, "too many", "help", "generate", "a");
    assert_int_equal(CALL("train"), 2);
    write_text(path_of("plain"), "x");
    CALL("train", "dvae", "-p", "tiny", "--data", path_of("set"), "-r", path_of("plain/run"));
    assert_int_equal(last.status, 1);
}

static void test_texts(void **state)
{
    (void)state;
    SUCCEEDS("man");
    says(".TH");
    says("generate");
    static const char *const shells[] = { "zsh", "fish", "bash" };
    for (size_t i = 0; i < sizeof shells / sizeof *shells; ++i) {
        SUCCEEDS("completion", shells[i]);
        says("generate");
    }
    char command[300];
    snprintf(command, sizeof command, "bash -n '%s'", path_of("stdout"));
    if (system("command -v bash > /dev/null") == 0) assert_int_equal(system(command), 0);
    FAILS(2, "bash", "completion", "tcsh");
    SUCCEEDS("config", "prior");
    says("text_tokens");
}

static const json_t *setting(const json_t *settings, const char *key)
{
    size_t i;
    const json_t *one;
    json_array_foreach(settings, i,
                       one) if (strcmp(json_string_value(json_object_get(one, "key")), key) == 0) return one;
    fail_msg("no setting '%s'", key);
    return NULL;
}

static void test_settings_as_json(void **state)
{
    (void)state;
    SUCCEEDS("config", "prior", "--json", "--set", "heads=3", "--set", "attention=full", "--set",
             "dropout=0.1");
    json_error_t problem;
    json_t *all = json_loads(last.out, 0, &problem);
    assert_non_null(all);
    const json_t *settings = json_object_get(all, "settings");
    assert_int_equal(json_integer_value(json_object_get(setting(settings, "heads"), "value")), 3);
    assert_true(json_number_value(json_object_get(setting(settings, "dropout"), "value")) == 0.1);
    const json_t *attention = setting(settings, "attention");
    assert_string_equal(json_string_value(json_object_get(attention, "value")), "full");
    assert_string_equal(json_string_value(json_object_get(attention, "type")), "choice");
    assert_true(json_array_size(json_object_get(attention, "choices")) > 1);
    assert_true(json_array_size(json_object_get(all, "presets")) > 1);
    json_decref(all);
    FAILS(2, "heads", "config", "prior", "--json", "--set", "heads=x");
}

static int set_up(void **state)
{
    (void)state;
    base = room_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(last.out);
    free(last.err);
    room_remove(&base);
    return 0;
}

/* Is there a device to test with? */
static bool have_device(void)
{
    base = room_create();
    bool found = CALL("devices", "--json") == 0;
    room_remove(&base);
    return found;
}

int main(void)
{
    const struct CMUnitTest texts[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_settings_as_json),
    };
    const struct CMUnitTest work[] = {
        cmocka_unit_test(test_data),           cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_clip_tokenizer), cmocka_unit_test(test_training),
        cmocka_unit_test(test_generate),       cmocka_unit_test(test_codec),
        cmocka_unit_test(test_info),           cmocka_unit_test(test_devices),
        cmocka_unit_test(test_bench_and_plan), cmocka_unit_test(test_bench_paced),
        cmocka_unit_test(test_tune),
    };
    int failed = cmocka_run_group_tests(texts, set_up, tear_down);
    last = (outcome){ 0 };
    if (failed) return failed;
    if (!have_device()) return SKIPPED;
    return cmocka_run_group_tests(work, set_up, tear_down);
}
