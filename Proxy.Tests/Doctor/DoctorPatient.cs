using System.CommandLine;
using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Doctor;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Doctor;

/// <summary>A configuration, a home directory and a kernel's numbers to plant faults in, and the examination of them.</summary>
internal sealed class DoctorPatient : IDisposable
{
    private readonly Dictionary<string, string> _environment;

    public DoctorPatient()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("tbq").FullName;
        _environment = new Dictionary<string, string> { ["HOME"] = Directory };
        Write("proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
            + "Max open files            1024                 1048576              files     \n");
        Write(SystemFacts.SomaxConn, "4096\n");
        Write(SystemFacts.LocalPorts, "32768\t60999\n");
    }

    /// <summary>Home and root in one; removed with it.</summary>
    public string Directory { get; }

    /// <summary>The configuration file.</summary>
    public string Configuration { get; set; } = "";

    /// <summary>Where a daemon answers; null: nowhere.</summary>
    public EndPoint? Daemon { get; set; }

    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Changes what was learnt, for what cannot be had on loopback.</summary>
    public Func<Patient, Patient> Change { get; set; } = static patient => patient;

    public string Path(string name) => System.IO.Path.Combine(Directory, name);

    public void Write(string name, string text)
    {
        System.IO.Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path(name))!);
        File.WriteAllText(Path(name), text);
    }

    public void Set(string variable, string value) => _environment[variable] = value;

    public async Task<Patient> ExamineAsync(CancellationToken token)
    {
        if (!File.Exists(Path("t.conf")))
            Write("t.conf", Configuration);
        var result = ConfigurationLoader.Load(new ConfigurationSources
        {
            ConfigPath = Path("t.conf"),
            Environment = _environment,
            ModeNames = SelectionPolicyNames.All,
            WorkingDirectory = Directory,
        });
        using var session = new DaemonSession(
            Daemon is null ? [] : [Daemon], token: null, new InvocationConfiguration { Output = TextWriter.Null, Error = TextWriter.Null });
        var system = new SystemFacts(Directory, name => _environment.GetValueOrDefault(name));
        return Change(await new Examination(session, system, Time, static _ => { }).RunAsync(result, token));
    }

    /// <summary>
    /// All that the doctor finds; with a check taken out, what the others find.
    /// </summary>
    public static IReadOnlyList<(string Check, Finding Finding)> FindingsOf(Patient patient, string? without = null) =>
    [
        .. DoctorChecks.All.Where(check => check.Name != without)
            .SelectMany(check => check.Find(patient).Select(finding => (check.Name, finding))),
    ];

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}

/// <summary>A clock that is wrong by some time.</summary>
internal sealed class ShiftedTimeProvider(TimeSpan by) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
}
