package main

import (
	"context"
	"os"
	"strconv"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/version/verflag"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/configfiles"
	utilfs "k8s.io/kubernetes/pkg/util/filesystem"
)

// cpusVariable names the environment variable with the number of CPUs that a node tells the scheduler.
const cpusVariable = "SEED_CLUSTER_NODE_CPUS"

// machine tells another number of CPUs than the machine has; all else is what cAdvisor sees.
type machine struct {
	cadvisor.Interface
	cpus int
}

func (m machine) MachineInfo() (*cadvisorapi.MachineInfo, error) {
	seen, err := m.Interface.MachineInfo()
	if err != nil {
		return nil, err
	}
	told := *seen
	told.NumCores = m.cpus
	return &told, nil
}

// newKubeletCommand is the stock kubelet, configured by --config and the flags that exist beside it, but for the
// CPUs: a test machine has few, and pods that ask for a training node's share would never be scheduled.
func newKubeletCommand() *cobra.Command {
	flags := options.NewKubeletFlags()
	command := &cobra.Command{Use: "kubelet", SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		return runKubelet(genericapiserver.SetupSignalContext(), flags)
	}}
	flags.AddFlags(command.Flags())
	verflag.AddFlags(command.Flags())
	return command
}

func runKubelet(ctx context.Context, flags *options.KubeletFlags) error {
	loader, err := configfiles.NewFsLoader(&utilfs.DefaultFs{}, flags.KubeletConfigFile)
	if err != nil {
		return err
	}
	config, err := loader.Load(ctx)
	if err != nil {
		return err
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(config.FeatureGates); err != nil {
		return err
	}
	logs.InitLogs()
	server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
	if err := options.ValidateKubeletServer(server); err != nil {
		return err
	}
	dependencies, err := kubelet.UnsecuredDependencies(ctx, server, utilfeature.DefaultFeatureGate)
	if err != nil {
		return err
	}
	if cpus, err := strconv.Atoi(os.Getenv(cpusVariable)); err == nil {
		seen, err := cadvisor.New(
			cadvisor.NewImageFsInfoProvider(server.ContainerRuntimeEndpoint), server.RootDirectory,
			[]string{cm.NodeAllocatableRoot(server.CgroupRoot, server.CgroupsPerQOS, server.CgroupDriver)},
			cadvisor.UsingLegacyCadvisorStats(server.ContainerRuntimeEndpoint), server.LocalStorageCapacityIsolation)
		if err != nil {
			return err
		}
		dependencies.CAdvisorInterface = machine{seen, cpus}
	}
	return kubelet.Run(ctx, server, dependencies, utilfeature.DefaultFeatureGate)
}
