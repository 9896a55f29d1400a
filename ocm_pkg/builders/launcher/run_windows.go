package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"unsafe"
)

const (
	jobExtendedLimitInformation = 9
	jobKillOnClose              = 0x2000
)

// The numbers of JOBOBJECT_EXTENDED_LIMIT_INFORMATION, as winnt.h has them.
type jobLimits struct {
	processTime, jobTime     int64
	flags                    uint32
	minWorking, maxWorking   uintptr
	activeProcesses          uint32
	affinity                 uintptr
	priority, scheduling     uint32
	io                       [6]uint64
	processMemory, jobMemory uintptr
	peakProcess, peakJob     uintptr
}

var (
	kernel32           = syscall.NewLazyDLL("kernel32.dll")
	createJobObject    = kernel32.NewProc("CreateJobObjectW")
	setJobInformation  = kernel32.NewProc("SetInformationJobObject")
	assignProcessToJob = kernel32.NewProc("AssignProcessToJobObject")
)

// become runs the program in a job that ends with this process, and exits with its status: a
// process cannot be replaced here.
func become(program string, args []string) error {
	if err := joinJob(); err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // it is the child that decides
	rest := []string{}
	if len(args) > 1 {
		rest = args[1:]
	}
	child, err := os.StartProcess(program, append([]string{program}, rest...), &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return fmt.Errorf("running %s: %w", program, err)
	}
	state, err := child.Wait()
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", program, err)
	}
	os.Exit(state.ExitCode())
	return nil
}

// joinJob puts this process, and with it every child, into a job that is ended when its last
// handle is closed: when this process ends, however that is.
func joinJob() error {
	job, _, err := createJobObject.Call(0, 0)
	if job == 0 {
		return fmt.Errorf("making a job object: %w", err)
	}
	limits := jobLimits{flags: jobKillOnClose}
	done, _, err := setJobInformation.Call(
		job, jobExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), unsafe.Sizeof(limits),
	)
	if done == 0 {
		return fmt.Errorf("limiting a job object: %w", err)
	}
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return err
	}
	if done, _, err = assignProcessToJob.Call(job, uintptr(self)); done == 0 {
		return fmt.Errorf("joining a job object: %w", err)
	}
	return nil
}

// userCache returns the user's folder for caches, which only the user can write to.
func userCache() string {
	if folder := os.Getenv("LOCALAPPDATA"); filepath.IsAbs(folder) {
		return folder
	}
	return ""
}

// Owners and modes say nothing here: the user's profile is private by its access list.

func isOurs(os.FileInfo) bool { return true }

func isPrivate(os.FileInfo) bool { return true }

func isWritableByOthers(os.FileInfo) bool { return false }

func isRunnable(os.FileInfo) bool { return true }

func isSafeHome(info os.FileInfo) bool { return info.IsDir() }

// lock takes no lock: renames alone keep the cache whole.
func lock(string) (func(), bool, error) { return func() {}, false, nil }
