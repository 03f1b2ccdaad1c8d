"""Remove every assert from the cells that run later, with an AST transformer."""

import ast


class N(ast.NodeTransformer):
    def visit_Assert(self, n):
        return ast.Pass()


get_ipython().ast_transformers.append(N())
