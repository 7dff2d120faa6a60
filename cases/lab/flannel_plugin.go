package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// flannelPluginMain stands in for the CNI plugin flannel, whose module does not resolve here, and does what that documents: it
// hands the subnet of /run/flannel/subnet.env to the plugins bridge and host-local, with what is in delegate.
func flannelPluginMain(stdin io.Reader) error {
	text, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	var conf struct {
		Name       string         `json:"name"`
		CNIVersion string         `json:"cniVersion"`
		SubnetFile string         `json:"subnetFile"`
		DataDir    string         `json:"dataDir"`
		Delegate   map[string]any `json:"delegate"`
	}
	if err := json.Unmarshal(text, &conf); err != nil {
		return fmt.Errorf("failed to load netconf: %w", err)
	}
	if conf.SubnetFile == "" {
		conf.SubnetFile = "/run/flannel/subnet.env"
	}
	if conf.DataDir == "" {
		conf.DataDir = "/var/lib/cni/flannel"
	}
	saved := filepath.Join(conf.DataDir, os.Getenv("CNI_CONTAINERID"))
	var delegate []byte
	switch command := os.Getenv("CNI_COMMAND"); command {
	case "VERSION":
		_, err := fmt.Println(`{"cniVersion": "1.0.0", "supportedVersions": ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"]}`)
		return err
	case "ADD":
		env, err := subnetEnv(conf.SubnetFile)
		if err != nil {
			return fmt.Errorf("loadFlannelSubnetEnv failed: %w", err)
		}
		if conf.Delegate == nil {
			conf.Delegate = map[string]any{}
		}
		subnet, err := netip.ParsePrefix(env["FLANNEL_SUBNET"])
		if err != nil {
			return fmt.Errorf("%s: %w", conf.SubnetFile, err)
		}
		d := conf.Delegate
		preset := func(key string, value any) {
			if _, there := d[key]; !there {
				d[key] = value
			}
		}
		d["name"], d["cniVersion"] = conf.Name, conf.CNIVersion
		preset("type", "bridge")
		preset("ipMasq", env["FLANNEL_IPMASQ"] != "true")
		var mtu int
		if _, err := fmt.Sscan(env["FLANNEL_MTU"], &mtu); err == nil {
			preset("mtu", mtu)
		}
		if d["type"] == "bridge" {
			preset("isGateway", true)
		}
		d["ipam"] = map[string]any{
			"type":   "host-local",
			"ranges": [][]map[string]any{{{"subnet": subnet.Masked().String()}}},
			"routes": []map[string]any{{"dst": env["FLANNEL_NETWORK"]}},
		}
		if delegate, err = json.Marshal(d); err != nil {
			return err
		}
		if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(saved, delegate, 0o600); err != nil {
			return err
		}
	default:
		if delegate, err = os.ReadFile(saved); isNotExist(err) && command == "DEL" {
			return nil // it was never added
		} else if err != nil {
			return err
		}
		if command == "DEL" {
			defer os.Remove(saved)
		}
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(delegate, &kind); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(cniBinDir, filepath.Base(kind.Type)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(delegate), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Exit(1) // it has said why, as a plugin does
	}
	return nil
}

// subnetEnv reads what flanneld writes.
func subnetEnv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	return env, nil
}

// pluginError is how a CNI plugin tells its caller of an error (CNI spec, section 5).
func pluginError(err error) {
	text, _ := json.Marshal(map[string]any{"cniVersion": "1.0.0", "code": 100, "msg": err.Error()})
	fmt.Println(string(text))
}
