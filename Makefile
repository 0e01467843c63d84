.PHONY: run test check bench screenshots

run: ; @scripts/run
test: ; @scripts/test
check: ; @scripts/check
bench: ; @scripts/bench
screenshots: ; @scripts/screenshots
