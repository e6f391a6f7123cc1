namespace TorBalancer.Daemon.Doctor;

/// <summary>How much a finding matters.</summary>
internal enum Severity : byte
{
    /// <summary>Worth knowing; nothing has to be done.</summary>
    Note,

    /// <summary>It works, and less well or less safely than it could.</summary>
    Warning,

    /// <summary>Something does not work, or a promise is not kept.</summary>
    Error,
}

/// <summary>One thing that the doctor found.</summary>
/// <param name="What">What is so, as a sentence without its full stop.</param>
/// <param name="Where">The worker, file, key or setting that it is about.</param>
/// <param name="Mend">What to do about it.</param>
internal sealed record Finding(Severity Severity, string What, string Where, string Mend)
{
    public static Finding Error(string where, string what, string mend) => new(Severity.Error, what, where, mend);

    public static Finding Warning(string where, string what, string mend) => new(Severity.Warning, what, where, mend);

    public static Finding Note(string where, string what, string mend) => new(Severity.Note, what, where, mend);
}

/// <summary>One examination.</summary>
/// <param name="Name">Its word; contract.</param>
/// <param name="About">What it looks for, as a clause.</param>
/// <param name="Find">Everything that it finds in a patient.</param>
internal sealed record DoctorCheck(string Name, string About, Func<Patient, IEnumerable<Finding>> Find);
