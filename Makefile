# Everything a person or a machine does with bailiff starts here. Targets that
# need root say so; what they need from Debian they install themselves.

GO      := $(or $(shell command -v go),/usr/local/go/bin/go)
SUDO    := $(if $(filter-out 0,$(shell id -u)),sudo)
BIN     := bin/bailiff
RUN     := .run
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(or $(shell git describe --tags --always --dirty 2>/dev/null),unknown)

BUILD_PACKAGES := gcc libc6-dev libsystemd-dev
LIVE_PACKAGES  := dovecot-imapd dropbear-bin kamailio nginx-light openssh-server postfix vsftpd
TEST_PACKAGES  := $(BUILD_PACKAGES) $(LIVE_PACKAGES) iproute2 logrotate nftables openssh-client openssl rsyslog rsyslog-gnutls systemd systemd-journal-remote util-linux
# syslog-ng-core excludes rsyslog: it is unpacked beside, with these to run it.
UNPACKED       := syslog-ng-core
UNPACKED_NEED  := libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3 libwrap0
FUZZTIME ?= 20s

.PHONY: build run test live race fuzz bench demo install uninstall lint clean build-packages test-packages

build: build-packages
	@CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/bailiff

# A daemon in the foreground with the built-in configuration, its state in
# $(RUN), and one more door: syslog on loopback, for root and syslog only.
run: build
	@test "$$(id -u)" = 0 || { echo 'bailiff needs root to ban: sudo make run' >&2; exit 1; }
	@install -d -m 0700 $(RUN)
	@printf '%s\n' 'state_dir = "$(abspath $(RUN))/state"' \
	  '[[source.syslog]]' 'listen = "unixgram:///run/bailiff/log.sock"' \
	  '[[source.syslog]]' 'listen = "udp://127.0.0.1:5514"' > $(RUN)/bailiff.toml
	@printf '%s\n' 'Paste this into another terminal to see a ban (203.0.113.9 is an address for examples):' '' \
	  "  sudo bash -c 'for i in 1 2 3 4 5; do echo \"<86>sshd[7]: Failed password for root from 203.0.113.9 port 4000\$$i ssh2\" >/dev/udp/127.0.0.1/5514; done'" '' \
	  'Then: sudo $(BIN) list; sudo $(BIN) why 203.0.113.9; sudo $(BIN) unban 203.0.113.9' ''
	@exec $(BIN) run --config $(RUN)/bailiff.toml

# The whole suite with real components: needs root for network namespaces,
# nftables, journald and sshd, and fails where one of them is missing.
test: test-packages
	@$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	@BAILIFF_REQUIRE=all $(GO) test -timeout 12m -exec '$(SUDO) env PATH=$(PATH):/usr/sbin:/sbin BAILIFF_REQUIRE=all' ./...
	@CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/bailiff

# Real daemons refuse logins, and each refusal is one attempt; part of test.
live: test-packages
	@BAILIFF_REQUIRE=all $(GO) test -timeout 5m -v -count 1 -run '^TestDaemons$$' -exec '$(SUDO) env PATH=$(PATH):/usr/sbin:/sbin BAILIFF_REQUIRE=all' ./cmd/internal/livetest

race: test-packages
	@BAILIFF_REQUIRE=all $(GO) test -race -timeout 20m -exec '$(SUDO) env PATH=$(PATH):/usr/sbin:/sbin BAILIFF_REQUIRE=all' ./...

# Every fuzz target for FUZZTIME, and ten times the usual attack on every rule.
fuzz:
	@BAILIFF_ATTACK_LINES=100000 $(GO) test -run '^TestAttack$$' ./rules
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# The figures of docs/benchmarks.md; do nothing else meanwhile.
bench: build test-packages
	@$(SUDO) env GO=$(GO) PATH=$(PATH):/usr/sbin:/sbin cmd/bench.sh $(BIN)

demo: build test-packages
	@$(SUDO) cmd/demo.sh $(BIN)

install: build
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/bailiff
	install -d -m 0755 $(DESTDIR)/etc/bailiff/rules.d $(DESTDIR)/etc/systemd/system
	test -e $(DESTDIR)/etc/bailiff/bailiff.toml || install -m 0644 docs/bailiff.toml $(DESTDIR)/etc/bailiff/bailiff.toml
	sed 's|@PREFIX@|$(PREFIX)|' docs/bailiff.service > $(DESTDIR)/etc/systemd/system/bailiff.service
	@echo 'Next: systemctl daemon-reload && systemctl enable --now bailiff'

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/bailiff $(DESTDIR)/etc/systemd/system/bailiff.service
	@echo 'Configuration in /etc/bailiff and the record in /var/lib/bailiff are left; bans in the kernel end by themselves.'

lint:
	@$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

clean:
	rm -rf bin $(RUN)

build-packages:
	@$(SUDO) .ci/packages $(BUILD_PACKAGES)

test-packages:
	@$(SUDO) .ci/packages $(TEST_PACKAGES) $(UNPACKED_NEED)
	@.ci/unpack $(RUN)/debian $(UNPACKED)
