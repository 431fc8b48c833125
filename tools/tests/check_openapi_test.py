import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import check_openapi  # noqa: E402

CODE = """
    return {{"GET", "/api/v1/tags", ReadConfiguration, get_tags},
            {"POST", "/api/v1/tags/{}:write", WriteCommands, write_tag}};
"""
HEAD = """openapi: 3.1.0
paths:
  /api/v1/tags:
    get:
      operationId: listTags
  /api/v1/tags/{id}:write:
    post:
      operationId: writeTag
      responses:
        "404": { $ref: "#/components/responses/NotFound" }
"""
OTHERS = "".join(f"  {path}:\n    {method.lower()}:\n      summary: elsewhere\n" for method, path in check_openapi.ELSEWHERE)
TAIL = """components:
  responses:
    NotFound:
      description: none
"""
GOOD = HEAD + OTHERS + TAIL


def breaches(description, code=CODE):
    texts = {}
    for (_, path), file in check_openapi.ELSEWHERE.items():
        texts[file] = texts.get(file, "") + f'"{path}" '
    return check_openapi.breaches_of(description, code, texts)


class TheDescription(unittest.TestCase):
    def test_one_that_fits_the_code_is_good(self):
        self.assertEqual(breaches(GOOD), [])

    def test_a_route_without_description_is_told(self):
        found = breaches(GOOD, CODE + '{"DELETE", "/api/v1/tags/{}", EditTags, delete_tag}')
        self.assertEqual(found, ["DELETE /api/v1/tags/{} is answered and not described: add it to api/openapi.yaml"])

    def test_a_description_without_route_is_told(self):
        found = breaches(GOOD.replace("    get:\n      operationId: listTags", "    patch:\n      operationId: listTags", 1))
        self.assertEqual(len(found), 2)

    def test_a_reference_to_nothing_is_told(self):
        self.assertEqual(breaches(GOOD.replace("responses/NotFound", "responses/Missing")),
                         ["api/openapi.yaml: there is no components/responses/Missing",
                          "api/openapi.yaml: components/responses/NotFound is used nowhere"])

    def test_an_operation_id_stands_once(self):
        self.assertIn("twice", breaches(GOOD.replace("writeTag", "listTags"))[0])

    def test_what_the_small_reader_of_yaml_does_not_know_is_told(self):
        self.assertEqual(len(breaches(GOOD + "x-a: &here 1\nx-b: *here\n\t# tab\n")), 3)

    def test_what_is_answered_elsewhere_is_still_answered_there(self):
        found = check_openapi.breaches_of(GOOD, CODE, {})
        self.assertEqual(len(found), len(check_openapi.ELSEWHERE))


if __name__ == "__main__":
    unittest.main()
