# set.sh -- sourced by tests of the program: make_set FOLDER, eight pictures of squares with captions.
# SPDX-License-Identifier: MIT

# picture NAME BASE64 CAPTION, twice, since a set of four is too small to keep some aside.
picture() {
    for copy in a b; do
        printf '%s' "$2" | base64 -d >"$set_folder/$1$copy.png"
        printf '%s' "$3" >"$set_folder/$1$copy.txt"
    done
}

make_set() {
    set_folder=$1
    mkdir -p "$set_folder"
    picture red iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAHElEQVR42mP4TyJgGOQa7mhoYEWjGuirYYimJQDQP4jfKLyZCQAAAABJRU5ErkJggg== "a red square"
    picture green iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAHElEQVR42mP4TyJgGOQaNLbYYEWjGuirYYimJQD1x4Pf0+lVMAAAAABJRU5ErkJggg== "a green square"
    picture blue iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAHElEQVR42mP4TyJgGOQaNGzuYEWjGuirYYimJQAet43feNsS6AAAAABJRU5ErkJggg== "a blue square"
    picture black iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAGklEQVR42mP4TyJgGOQauHCAUQ301TBE0xIAQTZFX4N4QggAAAAASUVORK5CYII= "a black square"
}
