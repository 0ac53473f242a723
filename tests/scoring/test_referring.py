"""Which options speak of others."""

from bench.scoring.referring import refers_to_others

REFERRING = """
A and C | All of the above | None of the above | Both A and B | A, B and C only | both | Neither |
A and B are correct | Options (A) and (B) | A & B | None | All of these | both a & b | A, B, C | A/B |
A + C | Only A | Not A | A and B but not C | Neither A nor B | All except A | all but B |
B and C are both correct | Both (A) and (B) are true | Answer choices A and C | 1 and 3 are correct |
Options 1 and 2 | I and III only | All are correct | None is correct | Both are true | All three |
None of the options | Both answers are correct | None of the given options |
None of the answers above | None of the mentioned | One of the above | More than one of the above |
Everything above | Same as A | All of the above drugs | Give all of the above. |
Ninguna de las anteriores | Todas las anteriores | Todas son correctas | Ninguna es correcta |
Ninguna | A y C son correctas | Las respuestas 1 y 3 son correctas |
Todas las respuestas anteriores son ciertas | Aucune de ces réponses |
Aucune des réponses précédentes | Tous les précédents | Les réponses A et B | Aucune |
Keine der genannten | Keine der Antworten | Alle der oben genannten | Sowohl A als auch B |
Alle Antworten sind richtig
"""
SPEAKING_OF_THE_WORLD = """
Vitamin A and C deficiency | B and T cells | Hepatitis A or B | Observation only | both lungs |
The other kidney | Vitamin A | T cells and B cells | A 5-year-old boy | All-trans retinol | A | AB |
Stop all other medications | Continue all of the above medications | Any previous surgery | True |
Two previous miscarriages | Treat all others exposed | all those with fever | S and M | 1 and 3 | 2 |
Why all these tests were ordered | Treat both of these with antibiotics | V and VII | Three | + | No |
Not indicated | Both kidneys | Type A and B
"""


def options(text: str) -> list[str]:
    return [option.strip() for option in text.split("|")]


def test_options_that_speak_of_others_are_known_in_four_languages() -> None:
    assert [option for option in options(REFERRING) if not refers_to_others(option, "ABCD")] == []


def test_options_that_speak_of_the_world_are_left_alone() -> None:
    assert [option for option in options(SPEAKING_OF_THE_WORLD) if refers_to_others(option, "ABCD")] == []


def test_only_letters_of_the_question_name_options() -> None:
    assert refers_to_others("A and E", "ABCDE")
    assert not refers_to_others("A and E", "ABCD")
